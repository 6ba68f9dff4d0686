"""Boxes as Darknet's detectors predict them: a place in a cell and a factor of an anchor.

YOLO9000, Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2 and figure 3; the
scale of the place: YOLOv4, Bochkovskiy et al. 2020, https://arxiv.org/abs/2004.10934, section 3.4.
"""

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import cxcywh_to_xyxy
from jaxvision.ops.grid_anchors import GridAnchors


def decode(regression: jax.Array, anchors: GridAnchors, scales: tuple[float, ...]) -> jax.Array:
    """Turns raw regressions into boxes.

    Args:
        regression: [B, A, 4] as tx, ty, tw, th.
        anchors: The anchors.
        scales: Of each map, the range in cells of the centre about the middle of its cell; above 1
            it reaches the cell's borders and beyond.

    Returns:
        Boxes [B, A, 4], xyxy in pixels.
    """
    scale = jnp.concatenate(
        [jnp.full(level.count, s) for level, s in zip(anchors.levels, scales, strict=True)]
    )[None, :, None]
    place = jax.nn.sigmoid(regression[..., :2]) * scale - (scale - 1) / 2
    strides = jnp.asarray(anchors.strides)[None, :, None]
    center = place * strides + jnp.asarray(anchors.corners)[None]
    # An early wild prediction stays finite.
    size = jnp.exp(jnp.minimum(regression[..., 2:], 15.0)) * jnp.asarray(anchors.sizes)[None]
    return cxcywh_to_xyxy(jnp.concatenate([center, size], axis=-1))
