"""Words that occur together become one: `new_york`.

Mikolov et al. 2013, https://arxiv.org/abs/1310.4546, section 4, equation 6.
"""

import collections
from collections.abc import Iterable, Iterator, Sequence

from jaxvision.ops import ranges

JOINT = "_"


def phrase_scores(
    sentences: Iterable[Sequence[str]], *, min_count: int
) -> dict[tuple[str, str], float]:
    """Scores pairs of neighbours: (count(a b) - min_count) / (count(a) * count(b)) * words.

    The paper has no factor `words`, the length of the text; with it, as in word2vec's own program,
    a threshold fits texts of all lengths.

    Args:
        sentences: Their words; no pair spans two of them.
        min_count: Pairs that occur no more often than this have no score.
    """
    single: collections.Counter[str] = collections.Counter()
    pairs: collections.Counter[tuple[str, str]] = collections.Counter()
    for sentence in sentences:
        single.update(sentence)
        pairs.update(zip(sentence, sentence[1:], strict=False))
    words = single.total()
    return {
        (a, b): (count - min_count) / (single[a] * single[b]) * words
        for (a, b), count in pairs.items()
        if count > min_count
    }


def find_phrases(
    sentences: Sequence[Sequence[str]], *, min_count: int, threshold: float
) -> set[tuple[str, str]]:
    """Returns the pairs whose score is above a threshold.

    Args:
        sentences: Their words.
        min_count: As for `phrase_scores`.
        threshold: 100 in word2vec's own program.

    Raises:
        ValueError: If a number is out of its range.
    """
    numbers = dict(min_count=min_count, threshold=threshold)
    ranges.check(numbers, "[1, inf)", "min_count")
    ranges.check(numbers, "(0, inf)", "threshold")
    scores = phrase_scores(sentences, min_count=min_count)
    return {pair for pair, score in scores.items() if score > threshold}


def join_phrases(
    sentences: Iterable[Sequence[str]], phrases: set[tuple[str, str]]
) -> Iterator[list[str]]:
    """Joins the pairs of each sentence that are phrases, from left to right."""
    for sentence in sentences:
        joined: list[str] = []
        place = 0
        while place < len(sentence):
            pair = tuple(sentence[place : place + 2])
            joined.append(JOINT.join(pair) if pair in phrases else sentence[place])
            place += 2 if pair in phrases else 1
        yield joined
