"""What classifiers with auxiliary heads return while they train."""

from typing import NamedTuple

import jax


class ClassifierOutput(NamedTuple):
    """Logits of a classifier and of heads on its inner layers, which only training has.

    Attributes:
        logits: [B, K], float32.
        auxiliary: Logits [B, K] of each auxiliary head, those nearest the input first.
    """

    logits: jax.Array
    auxiliary: tuple[jax.Array, ...]
