"""YOLOv5's assignment: anchors of a similar shape, in an object's cell and the two nearest to it.

There is no paper; release v7.0 of the authors. An object may match anchors of every map, and an
anchor several objects.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.ops.boxes import xyxy_to_cxcywh
from jaxvision.ops.grid_anchors import GridLevel
from jaxvision.ops.objects import Objects

# The cell itself, then its left, upper, right and lower neighbour: x, y.
NEIGHBOURS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))


class Matches(NamedTuple):
    """Pairs of an object and an anchor of one map, for every object, neighbour and anchor.

    Attributes:
        anchor: Index among the anchors of the map [N, 5, n] int32.
        box: The object from the cell's corner [N, 5, 4] as x, y, width, height in strides.
        valid: Whether they match [N, 5, n].
    """

    anchor: jax.Array
    box: jax.Array
    valid: jax.Array


def anchor_ratio(objects: Objects, level: GridLevel, *, max_ratio: float = 4.0) -> Matches:
    """Matches the objects of one image with the anchors of a map; `jax.vmap` makes it a batch.

    Args:
        objects: Objects [N] of the image; padding may stand anywhere among them.
        level: The map, with n anchors a cell.
        max_ratio: Width and height of object and anchor may differ by less than this factor.
    """
    coded = xyxy_to_cxcywh(jnp.asarray(objects.boxes)) / level.stride
    center, size = coded[:, :2], coded[:, 2:]
    ratio = size[:, None] / (jnp.asarray(level.sizes) / level.stride)[None]
    fits = jnp.maximum(ratio, 1 / jnp.maximum(ratio, 1e-9)).max(axis=-1) < max_ratio

    # A neighbour is taken on the side of the cell's half that the centre lies in, if it is there.
    grid = jnp.asarray([level.columns, level.rows], jnp.float32)[None]
    before = (center % 1 < 0.5) & (center > 1)
    after = ((grid - center) % 1 < 0.5) & (grid - center > 1)
    near = jnp.concatenate([jnp.ones_like(before[:, :1]), before, after], axis=1)

    shifted = center[:, None] - 0.5 * jnp.asarray(NEIGHBOURS)[None]
    cell = jnp.clip(jnp.trunc(shifted), 0, grid[:, None] - 1)
    column, row = cell[..., 0].astype(jnp.int32), cell[..., 1].astype(jnp.int32)
    count = len(level.sizes)
    anchor = (row * level.columns + column)[..., None] * count + jnp.arange(count)[None, None]
    box = jnp.concatenate(
        [center[:, None] - cell, jnp.broadcast_to(size[:, None], cell.shape)], axis=-1
    )
    valid = objects.valid[:, None, None] & near[..., None] & fits[:, None]
    return Matches(anchor, box, valid)
