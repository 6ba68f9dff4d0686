"""Classification examples from encoded image files, or from arrays that hold all pixels."""

from collections.abc import Callable

import cv2
import numpy as np

from jaxvision.data.classification_example import ClassificationSource, describe_labels
from jaxvision.data.errors import DataError
from jaxvision.data.image import can_reduce, decode_image, image_size


class LabelledFiles:
    """Images that stay encoded, on disk or in an archive, until they are asked for.

    Attributes:
        classes: Class names, in the order of their indices.
        labels: Class of each image [I] int32.
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
        """Takes what a reader found.

        Args:
            name: What to call the dataset.
            classes: Class names.
            labels: Class of each image [I] int32.
            read: Returns an image as it is stored; called from several threads.
            image_name: Path of an image.
            notes: What the reader left out, for `describe`.

        Raises:
            DataError: If there is no image, or a label is out of range.
        """
        check_labels(name, labels, classes)
        self.classes = classes
        self.labels = labels
        self._name = name
        self._read = read
        self._image_name = image_name
        self._notes = notes
        self._sizes = np.zeros((len(labels), 2), np.int32)

    def __len__(self) -> int:
        return len(self.labels)

    def size(self, index: int) -> tuple[int, int]:
        """Returns the height and width of an image, read from its header once.

        Raises:
            DataError: If the file is missing or of no known format.
        """
        if not self._sizes[index].any():
            self._sizes[index] = image_size(self._read(index), self.name(index))
        height, width = self._sizes[index].tolist()
        return height, width

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Decodes an image; JPEG files at a fraction of their size, if that is asked for.

        Raises:
            DataError: If the file is missing or damaged.
        """
        data = self._read(index)
        reduction = max_reduction if can_reduce(data) else 1
        return decode_image(data, self.name(index), reduction), reduction

    def name(self, index: int) -> str:
        """Returns the path of an image."""
        return self._image_name(index)

    def describe(self) -> str:
        """Reports the number of images and classes, and what was left out."""
        return "\n".join(filter(None, [describe_labels(self._name, self), self._notes]))


class LabelledArrays:
    """Images of one size that are all in memory.

    Attributes:
        classes: Class names, in the order of their indices.
        labels: Class of each image [I] int32, or [I, K] float32.
    """

    def __init__(
        self, name: str, classes: tuple[str, ...], labels: np.ndarray, pixels: np.ndarray
    ) -> None:
        """Takes what a reader found.

        Args:
            name: What to call the dataset.
            classes: Class names.
            labels: Class of each image [I] int32, or [I, K] float32.
            pixels: RGB or grey images [I, H, W, 3 or 1] uint8.

        Raises:
            DataError: If there is no image, their number is not that of the labels, or a label is
                out of range.
        """
        if len(pixels) != len(labels):
            raise DataError(f"{name}: {len(pixels):,} images, but {len(labels):,} labels")
        check_labels(name, labels, classes)
        self.classes = classes
        self.labels = labels
        self._name = name
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self.labels)

    def size(self, index: int) -> tuple[int, int]:
        """Returns the height and width of every image."""
        del index
        return self._pixels.shape[1], self._pixels.shape[2]

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Returns an image at full size, grey ones repeated in three channels."""
        del max_reduction
        pixels = self._pixels[index]
        if pixels.shape[2] == 1:
            return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), 1
        return pixels, 1

    def name(self, index: int) -> str:
        """Names an image by its number."""
        return f"{self._name}[{index}]"

    def describe(self) -> str:
        """Reports the number of images and classes, and their size."""
        height, width = self.size(0)
        return f"{describe_labels(self._name, self)}; {width} x {height} pixels"


class Cached:
    """A source that keeps what it has decoded, as far as a number of bytes goes.

    What does not fit any more is read each time, as without a cache.

    Attributes:
        classes: Class names, in the order of their indices.
        labels: As the source's.
    """

    def __init__(self, source: ClassificationSource, max_bytes: int) -> None:
        """Wraps a source; nothing is read yet.

        Args:
            source: Read at most once for every image that fits.
            max_bytes: How much the decoded images may take in all.
        """
        self.classes = source.classes
        self.labels = source.labels
        self._source = source
        self._room = max_bytes
        self._images: list[np.ndarray | None] = [None] * len(source)

    def __len__(self) -> int:
        return len(self._source)

    def size(self, index: int) -> tuple[int, int]:
        """Returns the height and width of an image."""
        kept = self._images[index]
        return self._source.size(index) if kept is None else (kept.shape[0], kept.shape[1])

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Returns an image, at full size where it is kept."""
        kept = self._images[index]
        if kept is not None:
            return kept, 1
        if self._room <= 0:
            return self._source.image(index, max_reduction)
        image, reduction = self._source.image(index)
        # Two threads that read one image at once both subtract it: less is kept, never more.
        self._room -= image.nbytes
        if self._room >= 0:
            image.flags.writeable = False
            self._images[index] = image
        return image, reduction

    def name(self, index: int) -> str:
        """Names an image as the source does."""
        return self._source.name(index)

    def describe(self) -> str:
        """Reports what the source does."""
        return self._source.describe()


def check_labels(name: str, labels: np.ndarray, classes: tuple[str, ...]) -> None:
    """Checks that there are images and that every label has a class.

    Args:
        name: What to call the dataset in messages.
        labels: Class of each image [I], or [I, K].
        classes: Class names.

    Raises:
        DataError: If there is none, or a label is out of range.
    """
    if not len(labels):
        raise DataError(f"{name}: the split has no images; expected at least one")
    if labels.ndim == 2:
        if labels.shape[1] != len(classes):
            raise DataError(
                f"{name}: {labels.shape[1]} targets an image, but {len(classes)} classes"
            )
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
