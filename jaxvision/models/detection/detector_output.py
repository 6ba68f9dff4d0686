"""What every one-stage detector returns."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange


class DetectorOutput(NamedTuple):
    """Raw float32 predictions, before any sigmoid and decoding.

    Anchors come in the order of the strides, the rows of a map first, then the columns, then the
    anchors of one cell.

    Attributes:
        box_regression: Box offsets [B, A, 4], in the coding of the paper's method; YOLOv8's are
            logits of distances, [B, A, 4 * 16].
        class_logits: Logits [B, A, K].
        objectness: Logits [B, A], or None for a network without.
    """

    box_regression: jax.Array
    class_logits: jax.Array
    objectness: jax.Array | None = None


def objectness_of(output: DetectorOutput) -> jax.Array:
    """Returns the logits of objectness [B, A].

    Raises:
        ValueError: If the network predicts none.
    """
    if output.objectness is None:
        raise ValueError("the network must predict objectness for this method, got None")
    return output.objectness


def anchor_output(maps: Sequence[jax.Array], anchors_per_cell: int) -> DetectorOutput:
    """Splits maps in which the values of an anchor are its box, its objectness and its classes.

    Args:
        maps: By ascending stride, [B, H, W, anchors_per_cell * (5 + K)].
        anchors_per_cell: Anchors of a cell.
    """
    flat = [
        rearrange(x.astype(jnp.float32), "b h w (a k) -> b (h w a) k", a=anchors_per_cell)
        for x in maps
    ]
    raw = jnp.concatenate(flat, axis=1)
    return DetectorOutput(raw[..., :4], raw[..., 5:], raw[..., 4])
