"""Output of segmentation networks with auxiliary heads in training."""

from typing import NamedTuple

import jax


class SegmenterOutput(NamedTuple):
    """Logits of every pixel and, in training, of heads on inner layers.

    Attributes:
        logits: [B, H, W, K] float32.
        auxiliary: Logits [B, H, W, K] of each auxiliary head, those nearest the input first.
    """

    logits: jax.Array
    auxiliary: tuple[jax.Array, ...]
