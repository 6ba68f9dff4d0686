"""The method of Faster R-CNN: that of the proposal network and that of Fast R-CNN, trained at once.

Faster R-CNN, Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3.2.
Departs from the paper: approximate joint training, its section 3.2 (ii), in place of four steps in
turns.
"""

import dataclasses

from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.rpn import RPNMethod


@dataclasses.dataclass(frozen=True)
class FasterRCNNMethod:
    """Both stages.

    Attributes:
        rpn: Which regions are proposed; None where they come with the data.
        regions: What the regions are.
    """

    rpn: RPNMethod | None = RPNMethod()
    regions: FastRCNNMethod = FastRCNNMethod()
