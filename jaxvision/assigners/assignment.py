"""What every assigner returns."""

from typing import NamedTuple

import jax


class Assignment(NamedTuple):
    """The object that each anchor (a point or an anchor box) is trained to predict.

    Attributes:
        matched: Index of the object [A] int32, -1 for background.
        ignored: True for anchors that are neither [A] bool: the loss leaves them out. `matched` is
            -1 there.
        iou: IoU of the anchor's box (its prediction, if the assigner compares predictions) with
            its object [A] float32, 0 where nothing is matched.
    """

    matched: jax.Array
    ignored: jax.Array
    iou: jax.Array
