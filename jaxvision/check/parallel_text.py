"""Checks sentences and their translations."""

import os
import pathlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from jaxvision.check.findings import Example, Faults, Finding, found, ranked, relative
from jaxvision.check.summary import Counts, Summary
from jaxvision.data.errors import DataError
from jaxvision.data.text.parallel import ParallelText, read_parallel

# Words of a sentence that is called long, and how many times longer than its translation one of
# more than `_SHORT` words may be.
_LONG, _RATIO, _SHORT = 100, 3, 6
# Characters of a sentence that a finding shows.
_SHOWN = 60


def check_parallel(path: str, splits: Mapping[str, str], languages: tuple[str, str]) -> Summary:
    """Checks parallel text.

    Args:
        path: Folder of the files `<split>.<language>`, `.gz` or not.
        splits: Name of the split for `train` and, if there is one, for `val`.
        languages: File extensions of the language to translate from and of that to translate to.
    """
    path = os.path.expanduser(path)
    source, target = languages
    texts: dict[str, ParallelText] = {}
    findings: list[Finding] = []
    for split, name in splits.items():
        faults, empty = Faults(split), Faults(split)
        try:
            texts[split] = read_parallel(
                pathlib.Path(path),
                name,
                source=source,
                target=target,
                on_fault=lambda fault, empty=empty: empty(fault, otherwise="empty-line"),
            )
        except (DataError, OSError) as fault:
            faults(DataError(str(fault)), otherwise="unreadable-split")
        else:
            findings += _check_split(split, texts[split])
        findings += [*faults.findings(), *empty.findings()]
    if len(texts) == 2:
        findings += _check_both(texts["train"], texts["val"])
    statistics = {split: _statistics(text, languages) for split, text in texts.items()}
    return Summary(
        source="parallel",
        path=path,
        splits=dict(splits),
        tables=[_table(statistics)] if statistics else [],
        statistics=statistics,
        findings=tuple(relative(finding, path) for finding in ranked(findings)),
    )


def _check_split(split: str, text: ParallelText) -> list[Finding]:
    if not text.source:
        return [Finding("no-pairs", split, 1, ())]
    pairs = list(zip(text.source, text.target, strict=True))
    words = np.array([[len(sentence.split()) for sentence in pair] for pair in pairs])
    low, high = words.min(axis=1), words.max(axis=1)
    seen: dict[tuple[str, str], int] = {}
    original = np.array([seen.setdefault(pair, i) for i, pair in enumerate(pairs)])
    broken = np.array([_broken("".join(pair)) for pair in pairs])
    same = np.array([a == b and len(a) > 1 for a, b in pairs])

    def counted(index: int) -> Example:
        a, b = words[index]
        return Example(text.place(index), f"{a} and {b} words: {_cut(text.source[index])}")

    def shown(index: int) -> Example:
        return Example(text.place(index), _cut(text.source[index]))

    def repeated(index: int) -> Example:
        earlier = text.place(int(original[index]))
        return Example(text.place(index), f"as {earlier}: {_cut(text.source[index])}")

    return [
        *found("unequal-lengths", split, (high > _SHORT) & (high > _RATIO * low), counted),
        *found("broken-characters", split, broken, shown),
        *found("untranslated", split, same, shown),
        *found("repeated-pair", split, original < np.arange(len(pairs)), repeated),
        *found("long-sentence", split, high > _LONG, counted),
    ]


def _check_both(train: ParallelText, val: ParallelText) -> list[Finding]:
    """Finds what an evaluation has in common with training, and what it has not."""
    known = {sentence: i for i, sentence in reversed(list(enumerate(train.source)))}
    both = np.array([known.get(sentence, -1) for sentence in val.source])
    letters = [_letters(train.source), _letters(train.target)]
    unknown = [
        "".join(sorted({c for c in pair[k] if not c.isspace() and c not in letters[k]}))
        for pair in zip(val.source, val.target, strict=True)
        for k in (0, 1)
    ]
    pairs = [a + b for a, b in zip(unknown[::2], unknown[1::2], strict=True)]

    def copy(index: int) -> Example:
        return Example(
            val.place(index), f"as {train.place(int(both[index]))}: {_cut(val.source[index])}"
        )

    return [
        *found("pair-in-both-splits", "val", both >= 0, copy),
        *found(
            "unknown-characters",
            "val",
            np.array([bool(each) for each in pairs]),
            lambda index: Example(val.place(index), pairs[index]),
        ),
    ]


def _statistics(text: ParallelText, languages: Sequence[str]) -> dict[str, dict[str, float]]:
    found = {}
    for language, sentences in zip(languages, (text.source, text.target), strict=True):
        words = [sentence.split() for sentence in sentences]
        lengths = [len(each) for each in words] or [0]
        found[language] = {
            "sentences": len(sentences),
            "median_words": float(np.median(lengths)),
            "most_words": max(lengths),
            "different_words": len({word for each in words for word in each}),
            "different_characters": len(_letters(sentences)),
        }
    return found


def _table(statistics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Counts:
    head = ("text", "sentences", "words, median", "at most", "different words", "characters")
    rows = [
        (f"{split}, {language}", *(f"{value:,g}" for value in values.values()))
        for split, languages in statistics.items()
        for language, values in languages.items()
    ]
    return Counts("Sentences", head, rows)


def _letters(sentences: Sequence[str]) -> Counter[str]:
    return Counter(c for sentence in sentences for c in sentence if not c.isspace())


def _broken(text: str) -> bool:
    """Says whether a text has the marks of a wrong encoding, or control characters."""
    # UTF-8 that was read as Latin-1: "Ã¤" for "ä".
    twice = any(f"{first}{second}" in text for first in "ÃÂ" for second in _SECOND)
    return twice or any(c == "�" or (unicodedata.category(c) == "Cc" and c != "\t") for c in text)


# What Latin-1 shows of the second byte of a letter of two bytes.
_SECOND = tuple(bytes([byte]).decode("latin-1") for byte in range(0xA0, 0xC0))


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _SHOWN else f"{sentence[: _SHOWN - 1]}…"
