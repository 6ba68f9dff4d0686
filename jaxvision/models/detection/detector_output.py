"""What every one-stage detector returns."""

from typing import NamedTuple

import jax


class DetectorOutput(NamedTuple):
    """Raw float32 predictions, before any sigmoid and decoding.

    Anchors come in the order of the strides, the rows of a map first.

    Attributes:
        box_regression: Box offsets [B, A, 4], in the network's own coding.
        objectness: Logits [B, A].
        class_logits: Logits [B, A, K].
    """

    box_regression: jax.Array
    objectness: jax.Array
    class_logits: jax.Array
