"""What happens to sentences that have more tokens than a model is trained on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.text.padding import Tokens, token_lengths
from jaxvision.data.text.tokenizer import END

LONG_SENTENCES = ("drop", "cut", "error")


class Limited(NamedTuple):
    """Pairs, and which of them are trained on.

    Attributes:
        source: Tokens of each sentence [S].
        target: Tokens of its translation [T].
        kept: Numbers of the pairs to train on [K].
        lengths: Tokens of source and target of each of these [K, 2].
        too_long: Number of pairs of which a sentence was too long.
        cut: Whether these were cut; otherwise they were dropped.
    """

    source: Tokens
    target: Tokens
    kept: np.ndarray
    lengths: np.ndarray
    too_long: int
    cut: bool


def limit_length(
    source: Tokens, target: Tokens, max_length: int, rule: str, name: Callable[[int], str]
) -> Limited:
    """Applies a rule to pairs of which a sentence is too long.

    Args:
        source: Tokens of each sentence [S], its end included.
        target: Tokens of its translation [T], its end included.
        max_length: Tokens that a sentence may have.
        rule: `drop` drops the pair, `cut` shortens the sentence, `error` raises an error.
        name: Names a pair, for messages.

    Raises:
        DataError: If a sentence is too long and `rule` is `error`, or no pair is kept.
        ValueError: If there is no such rule, or `max_length` is not positive.
    """
    if rule not in LONG_SENTENCES:
        raise ValueError(f"long_sentences must be one of {', '.join(LONG_SENTENCES)}, got {rule}")
    if max_length < 1:
        raise ValueError(f"max_length must be at least 1, got {max_length}")
    lengths = token_lengths(source, target)
    long = lengths.max(axis=1) > max_length
    too_long = int(long.sum())
    if rule == "error" and too_long:
        first = int(long.argmax())
        raise DataError(
            f"{name(first)}: expected at most max_length {max_length} tokens in either language, "
            f"got {lengths[first, 0]} and {lengths[first, 1]}; {too_long} of {len(lengths)} pairs "
            "are too long: raise data.max_length, or set data.long_sentences to cut or drop"
        )
    if rule == "cut":
        source, target = ([_cut(s, max_length) for s in side] for side in (source, target))
        lengths = np.minimum(lengths, max_length)
    kept = np.arange(len(lengths)) if rule == "cut" else np.flatnonzero(~long)
    if not len(kept):
        raise DataError(
            "the training split must have sentences of at most max_length tokens, got none: "
            f"{len(lengths)} sentences, max_length {max_length}"
        )
    return Limited(source, target, kept, lengths[kept], too_long, rule == "cut")


def _cut(tokens: np.ndarray, length: int) -> np.ndarray:
    """Shortens a sentence that is too long; it ends like the others."""
    if len(tokens) <= length:
        return tokens
    return np.append(tokens[: length - 1], tokens.dtype.type(END))
