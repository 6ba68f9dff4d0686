"""What every assigner returns."""

from typing import NamedTuple

import jax


class Assignment(NamedTuple):
    """The object that each anchor answers for.

    Attributes:
        matched: Index of the object [A] int32, -1 for background.
        iou: IoU of the anchor's predicted box with its object [A] float32, 0 for background.
    """

    matched: jax.Array
    iou: jax.Array
