"""Texts of which each has a class."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.readers.checks import check_classes, class_index

# Characters of a text in a message.
_SHOWN = 60


class TextClasses(NamedTuple):
    """Texts and their classes.

    Attributes:
        texts: As they were written.
        labels: Class of each [N] int32.
        classes: Names of the classes.
        places: Where each text is.
        origin: Of all of them, for messages.
    """

    texts: Sequence[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    places: Sequence[str]
    origin: str

    @classmethod
    def of(
        cls,
        rows: Iterable[tuple[str, str, str]],
        origin: str,
        classes: Sequence[str] | None = None,
    ) -> Self:
        """Gathers texts.

        Args:
            rows: Class, place and text of each.
            origin: Of all of them, for messages.
            classes: All classes, in order; by default those that occur, sorted.

        Raises:
            DataError: If there is no text, one is empty, or a class is not of `classes`.
        """
        found = list(rows)
        if not found:
            raise DataError(f"{origin}: expected texts, got none")
        for _, place, text in found:
            if not text.strip():
                raise DataError(f"{place}: expected a text, got an empty one; write or delete it")
        names = sorted({name for name, _, _ in found}) if classes is None else classes
        every = check_classes(names, origin)
        labels = [class_index(name, every, place) for name, place, _ in found]
        places, texts = [row[1] for row in found], [row[2] for row in found]
        return cls(texts, np.array(labels, np.int32), every, places, origin)

    def name(self, index: int) -> str:
        """Names a text by its place and its beginning."""
        text = " ".join(self.texts[index].split())
        beginning = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        return f"{self.places[index]}: {beginning}"

    def describe(self) -> str:
        """Says how many texts each class has."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        parts = ", ".join(f"{n:,} {name}" for name, n in zip(self.classes, counts, strict=True))
        return f"{self.origin}: {len(self.texts):,} texts ({parts})"

    def digest(self) -> str:
        """Sums up texts and classes: SHA-256."""
        hashed = hashlib.sha256(self.labels.tobytes())
        for text in self.texts:
            hashed.update(f"{text}\n".encode())
        return hashed.hexdigest()
