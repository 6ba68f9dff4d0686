"""Images with labels, from encoded files or from arrays that hold all pixels."""

from collections.abc import Callable

import cv2
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation, Source
from jaxvision.data.sources.encoded import Encoded


class Labelled(Source):
    """A dataset whose images have a class each, or several.

    Attributes:
        labels: Class of each image [I] int32, or multi-label targets [I, K] float32.
    """

    labels: np.ndarray

    def __init__(self, name: str, classes: tuple[str, ...], labels: np.ndarray) -> None:
        """Takes the class names and labels of what is to be called `name`.

        Raises:
            DataError: If there is no image, or a label is out of range.
        """
        if not len(labels):
            raise DataError(f"{name}: the split has no images; expected at least one")
        if labels.ndim == 2:
            if (given := labels.shape[1]) != len(classes):
                raise DataError(f"{name}: {given} targets an image, but {len(classes)} classes")
            wrong = np.flatnonzero(((labels < 0) | (labels > 1)).any(axis=1))
            expected = "targets must be in [0, 1]"
        else:
            wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
            expected = f"labels must be in [0, {len(classes)}), the number of classes"
        if len(wrong):
            raise DataError(
                f"{name}[{wrong[0]}]: {expected}, got {labels[wrong[0]]} ({len(wrong):,} of "
                f"{len(labels):,} images are wrong). The file is damaged, or of another dataset."
            )
        self.classes, self.labels, self._name = classes, labels, name

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with its class."""
        self.check_index(index)
        return Sample(self.image(index)[0], index, label=self.label(index))

    def name(self, index: int) -> str:
        """Names an image by its number."""
        return f"{self._name}[{index}]"

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the number of images and classes."""
        del max_objects
        return describe_labels(self._name, self.labels, self.classes)


class LabelledFiles(Encoded, Labelled):
    """Images that stay encoded, on disk or in an archive, until they are read.

    Attributes:
        notes: What the reader dropped; may be empty.
    """

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        labels: np.ndarray,
        *,
        read: Callable[[int], bytes],
        image_name: Callable[[int], str],
        notes: str = "",
    ) -> None:
        """Takes what `Labelled` and `Encoded` take, and for `describe` what the reader dropped."""
        Labelled.__init__(self, name, classes, labels)
        Encoded.__init__(self, np.zeros((len(labels), 2), np.int32), read, image_name)
        self.notes = notes

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of an image, read from its header once."""
        return Annotation(*self.size(index))

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the number of images and classes, and what was dropped."""
        return "\n".join(filter(None, [super().describe(max_objects), self.notes]))


class LabelledArrays(Labelled):
    """Images of one size that are all in memory."""

    def __init__(
        self, name: str, classes: tuple[str, ...], labels: np.ndarray, pixels: np.ndarray
    ) -> None:
        """Takes what `Labelled` takes, and RGB or grey images [I, H, W, 3 or 1] uint8."""
        if len(pixels) != len(labels):
            raise DataError(f"{name}: {len(pixels):,} images, but {len(labels):,} labels")
        super().__init__(name, classes, labels)
        self._pixels = pixels

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of every image."""
        del index
        return Annotation(*self._pixels.shape[1:3])

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Returns an image at full size, grey ones repeated in three channels."""
        del max_reduction
        pixels = self._pixels[index]
        if pixels.shape[2] == 1:
            return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), 1
        return pixels, 1

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the number of images and classes, and their size."""
        height, width = self._pixels.shape[1:3]
        return f"{super().describe(max_objects)}; {width} x {height} pixels"


def describe_labels(name: str, labels: np.ndarray, classes: tuple[str, ...]) -> str:
    """Counts the images of each class by their labels [I] or [I, K], in one or two lines."""
    if labels.ndim == 1:
        counts, what = np.bincount(labels, minlength=len(classes)), "images"
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


def check_same_classes(name: str, own: tuple[str, ...], classes: tuple[str, ...] | None) -> None:
    """Raises DataError if classes are given and differ from the fixed ones of a dataset."""
    if classes is not None and tuple(classes) != own:
        raise DataError(
            f"{name}: classes must be {', '.join(own)}, got {', '.join(classes)}; set none"
        )
