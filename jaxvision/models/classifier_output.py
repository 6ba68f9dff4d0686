"""Output of classifiers with auxiliary heads in training."""

from typing import NamedTuple

import jax


class ClassifierOutput(NamedTuple):
    """Logits of a classifier and, in training, of heads on its inner layers.

    Attributes:
        logits: [B, K], float32.
        auxiliary: Logits [B, K] of each auxiliary head, those nearest the input first.
    """

    logits: jax.Array
    auxiliary: tuple[jax.Array, ...]
