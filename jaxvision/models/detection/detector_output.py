"""What every one-stage detector returns."""

from typing import NamedTuple

import jax


class DetectorOutput(NamedTuple):
    """Raw float32 predictions, before any sigmoid and decoding.

    Anchors come in the order of the strides, the rows of a map first, then the columns, then the
    anchors of one cell.

    Attributes:
        box_regression: Box offsets [B, A, 4], in the coding of the paper's method.
        class_logits: Logits [B, A, K].
        objectness: Logits [B, A], or None for a network without.
    """

    box_regression: jax.Array
    class_logits: jax.Array
    objectness: jax.Array | None = None
