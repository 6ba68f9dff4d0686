"""What a detection dataset yields before any transform, and what it has to offer besides."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from jaxvision.data.image import encode_image


class DetectionExample(NamedTuple):
    """One image with its n objects; n may be 0.

    Attributes:
        image: RGB pixels [H, W, 3] uint8.
        boxes: xyxy in pixels of `image`, inside it and not empty [n, 4] float32.
        classes: Index into the source's `classes` [n] int32.
        crowd: Objects that are never trained on and that the metric ignores [n] bool.
        area: Object areas in pixels [n] float32; of the mask where the data has one, else of the
            box.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    area: np.ndarray


class Annotation(NamedTuple):
    """What is known of an image without its pixels.

    Attributes:
        height: Of the image in pixels.
        width: Of the image in pixels.
        boxes: As a `DetectionExample`'s.
        classes: As a `DetectionExample`'s.
        crowd: As a `DetectionExample`'s.
    """

    height: int
    width: int
    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray


class DetectionSource(Protocol):
    """Random access to detection examples; safe to read from several threads."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of their indices."""
        ...

    @property
    def max_objects(self) -> int:
        """The most objects that one image has, crowds included."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> DetectionExample: ...

    def name(self, index: int) -> str:
        """Says which image that is, for messages: a path where there is one."""
        ...

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was read and what was mended, a few lines.

        Args:
            max_objects: With a number, images that hold more objects to train on are counted too.
        """
        ...


@runtime_checkable
class LazyDetectionSource(DetectionSource, Protocol):
    """A source that tells of an image before it decodes it, and decodes no more than is needed."""

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        ...

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster.

        Args:
            index: Which image.
            max_reduction: 1, 2, 4 or 8.

        Returns:
            RGB image [ceil(H / r), ceil(W / r), 3] uint8, and r, at most `max_reduction`. Pixel
            (y, x) shows what the r x r pixels from (r y, r x) on show at full size.
        """
        ...


@runtime_checkable
class LabelledDetectionSource(DetectionSource, Protocol):
    """A source that knows what objects an image has without touching the image."""

    def labels(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the classes [n] int32 and crowd flags [n] bool of an image's objects."""
        ...

    def mended(self) -> list[str]:
        """Reports what had to be mended in the whole dataset, a line each."""
        ...


@runtime_checkable
class EncodedDetectionSource(DetectionSource, Protocol):
    """A source whose images are stored in a format of pictures."""

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored."""
        ...


class _Eager:
    """Gives any source the interface of a lazy one; it reads twice where others read once."""

    def __init__(self, source: DetectionSource) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> DetectionExample:
        return self._source[index]

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        image, boxes, classes, crowd, _ = self._source[index]
        return Annotation(image.shape[0], image.shape[1], boxes, classes, crowd)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image at full size."""
        del max_reduction
        return self._source[index].image, 1


def lazy(source: DetectionSource) -> LazyDetectionSource:
    """Returns the source itself if it is lazy, else the source with what it lacks."""
    return source if isinstance(source, LazyDetectionSource) else _Eager(source)  # pyright: ignore


def stored(source: DetectionSource, index: int) -> bytes:
    """Returns an image as its source stores it; one that is not stored as PNG, without loss."""
    if isinstance(source, EncodedDetectionSource):
        return source.encoded(index)
    return encode_image(source[index].image, ".png")
