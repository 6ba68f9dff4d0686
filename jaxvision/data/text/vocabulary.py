"""Words of a text, how often they occur, and how often each occurrence is kept."""

import collections
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.ops import ranges

# Stands between sentences, and for words that are not in the vocabulary before they are dropped.
BREAK = -1


class Vocabulary(NamedTuple):
    """The V words that have vectors, most frequent first.

    Attributes:
        words: The words.
        counts: How often each occurs in the training text.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each word."""
        return {word: i for i, word in enumerate(self.words)}


def count_words(
    sentences: Iterable[Sequence[str]], *, min_count: int, max_words: int, name: str
) -> Vocabulary:
    """Counts words and keeps the frequent ones; ties are in the order of appearance.

    Args:
        sentences: Their words.
        min_count: Words that occur less often are dropped.
        max_words: Words that are kept, at most; 0 for all.
        name: Of the text, for messages.

    Raises:
        DataError: If the text is empty, or fewer than two words are kept.
        ValueError: If a number is out of its range.
    """
    numbers = dict(min_count=min_count, max_words=max_words)
    ranges.check(numbers, "[1, inf)", "min_count")
    ranges.check(numbers, "[0, inf)", "max_words")
    found: collections.Counter[str] = collections.Counter()
    for sentence in sentences:
        found.update(sentence)
    if not found:
        raise DataError(f"{name}: expected a text of words, got an empty one")
    kept = [(word, count) for word, count in found.most_common() if count >= min_count]
    kept = kept[: max_words or None]
    if len(kept) < 2:
        raise DataError(
            f"{name}: expected at least two words that occur {min_count} times or more, got "
            f"{len(kept)} of {len(found):,} words; lower data.min_count or take a longer text"
        )
    words, counts = zip(*kept, strict=True)
    return Vocabulary(words, counts)


def encode(sentences: Iterable[Sequence[str]], vocabulary: Vocabulary) -> np.ndarray:
    """Numbers the words of sentences; others are dropped before windows are laid.

    Returns:
        All sentences, each followed by `BREAK` [n] int32.
    """
    numbers = vocabulary.numbers
    found: list[int] = []
    for sentence in sentences:
        found += [numbers[word] for word in sentence if word in numbers]
        found.append(BREAK)
    return np.array(found, np.int32)


def keep_probability(counts: Sequence[int] | np.ndarray, threshold: float) -> np.ndarray:
    """Computes how often an occurrence of each word is kept, as word2vec's own program does.

    min(1, (sqrt(f / t) + 1) * t / f) for a word that is the share f of the text; the paper has
    sqrt(t / f), which keeps slightly less.

    Args:
        counts: Of each word [V].
        threshold: t, 1e-3 to 1e-5; 0 keeps all.

    Returns:
        [V] float64.

    Raises:
        ValueError: If the threshold is out of its range.
    """
    ranges.check({"subsample": threshold}, "[0, 1]", "subsample")
    share = np.asarray(counts, np.float64) / np.sum(counts)
    if not threshold:
        return np.ones_like(share)
    return np.minimum(1.0, (np.sqrt(share / threshold) + 1.0) * threshold / share)
