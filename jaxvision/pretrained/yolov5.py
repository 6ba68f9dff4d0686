"""YOLOv5 weights of the authors' releases, https://github.com/ultralytics/yolov5."""

import numpy as np

from jaxvision.losses.detection.yolov5 import COCO_ANCHORS, STRIDES
from jaxvision.models.detection.yolov5 import VARIANTS, YOLOv5, yolov5
from jaxvision.pretrained.family import Family, Source, State, Weights
from jaxvision.pretrained.names import TORCH_LEAVES, Rules

# Names of the backbone, which YOLOv8 shares.
CSP_DARKNET: Rules = (
    ("/norm/", "/bn/"),
    ("^backbone/stem/", "model/0/"),
    ("^backbone/stage{stage}_downsample/", "model/{2*stage-3}/"),
    ("^backbone/stage{stage}_csp/", "model/{2*stage-2}/"),
    ("^backbone/spp/reduce/", "model/9/cv1/"),
    ("^backbone/spp/expand/", "model/9/cv2/"),
    ("/bottleneck{block}/reduce/", "/m/{block-1}/cv1/"),
    ("/bottleneck{block}/spatial/", "/m/{block-1}/cv2/"),
)
_RULES: Rules = (
    *CSP_DARKNET,
    ("^neck/lateral5/", "model/10/"),
    ("^neck/top_down4/", "model/13/"),
    ("^neck/lateral4/", "model/14/"),
    ("^neck/top_down3/", "model/17/"),
    ("^neck/downsample3/", "model/18/"),
    ("^neck/bottom_up4/", "model/20/"),
    ("^neck/downsample4/", "model/21/"),
    ("^neck/bottom_up5/", "model/23/"),
    ("^head/stride8/", "model/24/m/0/"),
    ("^head/stride16/", "model/24/m/1/"),
    ("^head/stride32/", "model/24/m/2/"),
    ("/main/", "/cv1/"),
    ("/bypass/", "/cv2/"),
    ("/fuse/", "/cv3/"),
    *TORCH_LEAVES,
)
ANCHORS = "model.24.anchors"


def _anchors(variables: State) -> State:
    """Returns the anchors in strides, which belong to the method here."""
    return {
        ANCHORS: np.asarray(COCO_ANCHORS, np.float32)
        / np.asarray(STRIDES, np.float32).reshape(3, 1, 1)
    }


AUTHORS = Source(
    "authors",
    _RULES,
    # Of the anchors' tensor, and of what PyTorch counts.
    ignored=("anchors", "anchor_grid", "num_batches_tracked"),
    computed=_anchors,
)


def build(name: str, weights: Weights) -> YOLOv5:
    """Builds the variant with as many classes as the weights have."""
    model = yolov5(name, num_classes=80)
    outputs = weights.size("head/stride8/bias", model.anchors_per_cell * 85)
    return yolov5(name, num_classes=outputs // model.anchors_per_cell - 5)


FAMILY = Family(VARIANTS, lambda name: (AUTHORS,), build)
