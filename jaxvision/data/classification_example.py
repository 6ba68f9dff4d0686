"""What a classification dataset has to offer before any transform."""

from typing import Protocol

import numpy as np


class ClassificationSource(Protocol):
    """Random access to images with their classes; safe to read from several threads."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of their indices."""
        ...

    @property
    def labels(self) -> np.ndarray:
        """Class of each image [I] int32; or [I, K] float32, 1 for every class that it shows."""
        ...

    def __len__(self) -> int: ...

    def size(self, index: int) -> tuple[int, int]:
        """Returns the height and width of an image without decoding it, where that is possible."""
        ...

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster.

        Args:
            index: Which image.
            max_reduction: 1, 2, 4 or 8.

        Returns:
            RGB image [ceil(H / r), ceil(W / r), 3] uint8, not to be written to, and r, at most
            `max_reduction`. A pixel of it is the mean of r x r pixels.
        """
        ...

    def name(self, index: int) -> str:
        """Says which image that is, for messages: a path where there is one."""
        ...

    def describe(self) -> str:
        """Reports what was read and what was left out, a few lines."""
        ...


def describe_labels(name: str, source: ClassificationSource) -> str:
    """Counts the images of each class of a source, one or two lines.

    Args:
        name: What to call the source.
        source: Counted by its labels alone.
    """
    labels, classes = source.labels, source.classes
    if labels.ndim == 1:
        counts = np.bincount(labels, minlength=len(classes))
        what = "images"
    else:
        counts = np.rint(labels.sum(axis=0)).astype(int)
        what = "images, each with any number of classes"
    line = f"{name}: {len(labels):,} {what}; {len(classes)} classes, "
    line += f"{counts.min():,} to {counts.max():,} images each"
    absent = [classes[k] for k in np.flatnonzero(counts == 0)]
    if absent:
        shown = ", ".join(absent[:8]) + (", ..." if len(absent) > 8 else "")
        line += f"\n{len(absent)} of them without an image here: {shown}"
    return line
