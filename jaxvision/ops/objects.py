"""The objects of an image as a detector's assigner and loss see them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Objects(NamedTuple):
    """The objects of an image, padded to N; with a leading batch axis, those of a batch.

    Padding objects may stand anywhere and hold any values.

    Attributes:
        boxes: [..., N, 4] float32, xyxy in pixels of the network's input.
        classes: [..., N] int32, in [0, K).
        valid: False for padding objects [..., N] bool.
        masks: Pixels of each object [..., N, H, W] bool at the resolution of the network's input,
            or None where the data has none.
    """

    boxes: jax.Array
    classes: jax.Array
    valid: jax.Array
    masks: jax.Array | None = None


def without_padding(objects: Objects) -> Objects:
    """Gives padding objects boxes of zeros: a masked nan is still a nan in the backward pass."""
    boxes = jnp.where(objects.valid[..., None], objects.boxes, 0.0)
    return objects._replace(boxes=boxes)
