"""Sentences of different lengths as arrays."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.text.tokenizer import PAD

Tokens = Sequence[np.ndarray]


def token_lengths(source: Tokens, target: Tokens) -> np.ndarray:
    """Counts the tokens of each pair [N, 2]."""
    lengths = [[len(s), len(t)] for s, t in zip(source, target, strict=True)]
    return np.array(lengths, int).reshape(-1, 2)


def pad(sentences: Sequence[Sequence[int] | np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Returns an array of a shape [B, T] with a sentence a row, padded on the right and below."""
    padded = np.full(shape, PAD, np.int32)
    for row, sentence in zip(padded, sentences, strict=False):
        row[: len(sentence)] = sentence
    return padded
