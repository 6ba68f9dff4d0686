"""Findings of errors in datasets."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.check.kinds import KINDS, Kind
from jaxvision.data.errors import DataError

# Number of places that a finding lists.
MAX_EXAMPLES = 10


class Example(NamedTuple):
    """One place where something was found.

    Attributes:
        file: Which file, and where in it.
        detail: What is there; may be empty.
    """

    file: str
    detail: str


class Finding(NamedTuple):
    """One kind of fault in one split.

    Attributes:
        code: Key of `KINDS`.
        split: `train` or `val`.
        count: How often it was found.
        examples: The first places.
    """

    code: str
    split: str
    count: int
    examples: tuple[Example, ...]

    @property
    def kind(self) -> Kind:
        """Title, severity and advice."""
        return KINDS[self.code]


def found(
    code: str, split: str, where: np.ndarray, example: Callable[[int], Example]
) -> list[Finding]:
    """Makes a finding, or none, of where `where` is true; `example` describes a position."""
    positions = np.flatnonzero(where)
    if not positions.size:
        return []
    examples = tuple(example(int(position)) for position in positions[:MAX_EXAMPLES])
    return [Finding(code, split, len(positions), examples)]


def first(code: str, split: str, count: int, examples: Iterable[Sequence[str]]) -> list[Finding]:
    """Makes a finding, or none if the count is 0, of (file, detail) pairs that were gathered."""
    if not count:
        return []
    return [Finding(code, split, count, tuple(Example(*pair) for pair in examples)[:MAX_EXAMPLES])]


class Faults:
    """Counts the errors of a reader or a decoder; an `OnFault`."""

    def __init__(self, split: str) -> None:
        self._split = split
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[Example]] = {}

    def __call__(self, fault: DataError, otherwise: str = "faulty-record") -> None:
        """Counts an error; one without a code is of the kind `otherwise`."""
        code = fault.code if fault.code in KINDS else otherwise
        self._counts[code] = self._counts.get(code, 0) + 1
        examples = self._examples.setdefault(code, [])
        if len(examples) < MAX_EXAMPLES:
            # Messages begin with the file; advice, their last sentences, is the kind's.
            file, _, detail = str(fault).partition(": ")
            examples.append(Example(file, detail if code == otherwise else _sentence(detail)))

    def findings(self) -> list[Finding]:
        """Returns a finding of each kind."""
        return [
            Finding(code, self._split, count, tuple(self._examples[code]))
            for code, count in self._counts.items()
        ]


def _sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Returns findings by severity, then as `KINDS` orders them, train before val."""
    order = {code: position for position, code in enumerate(KINDS)}
    return tuple(
        sorted(findings, key=lambda finding: (order[finding.code], finding.split != "train"))
    )


def relative(finding: Finding, path: str) -> Finding:
    """Shortens the names of files inside the dataset."""
    # At the start of a word alone: the folder may end the path of another one.
    folder = re.compile(r"(?<![^\s(])" + re.escape(os.path.join(path, "")))
    return finding._replace(
        examples=tuple(
            Example(folder.sub("", example.file), folder.sub("", example.detail))
            for example in finding.examples
        )
    )
