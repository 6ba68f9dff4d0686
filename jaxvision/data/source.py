"""What every dataset of images offers, whatever the task."""

import abc
import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from jaxvision.data.image import encode_image
from jaxvision.data.sample import ImageObjects, Sample, image_objects


class Annotation(NamedTuple):
    """What is known of an image without its pixels; None is what the data does not have."""

    height: int  # in pixels
    width: int
    objects: ImageObjects | None = None  # without masks
    proposals: np.ndarray | None = None  # regions of interest [P, 4]


class Source(abc.ABC):
    """Random access to samples; safe to read from several threads.

    A dataset needs `classes`, `__len__` and `__getitem__`. The other methods have defaults that
    read whole samples; a dataset that knows its annotations without decoding images overrides them.

    Attributes:
        classes: Class names, in the order of their indices.
        labels: Class of each image [I] int32, or multi-label targets [I, K] float32; None where
            images have no class.
        dense: Whether samples have parts of the image's size: instance masks, a label map or a
            target. Readers then take whole samples, never reduced images.
        max_objects: The most objects that one image has, crowds included.
    """

    classes: tuple[str, ...] = ()
    labels: np.ndarray | None = None
    dense: bool = False
    max_objects: int = 0

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def check_index(self, index: int) -> None:
        """Raises IndexError for a negative index, too: it would name another image."""
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}), got {index}")

    def label(self, index: int) -> np.ndarray | None:
        """Returns the class [] int32 or targets [K] of an image; None where images have none."""
        return None if self.labels is None else np.asarray(self.labels[index])

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        sample = self[index]
        return Annotation(*sample.size, sample.objects, sample.proposals)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster.

        Args:
            index: Which image.
            max_reduction: 1, 2, 4 or 8.

        Returns:
            RGB image [ceil(H / r), ceil(W / r), 3] uint8, not to be written to, and r, at most
            `max_reduction`. Pixel (y, x) is the mean of r x r pixels from (r y, r x) on.

        Raises:
            DataError: If the image is missing or damaged.
        """
        del max_reduction
        return self[index].image, 1

    def known_objects(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the classes and crowd flags [n] of an image's objects; None if not yet read."""
        return None

    def all_known_objects(
        self, indices: Iterable[int]
    ) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """Returns `known_objects` of some images; None if they are not known of all."""
        found = [self.known_objects(index) for index in indices]
        known = [each for each in found if each is not None]
        return known if len(known) == len(found) else None

    def object_classes(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the same, read from the image where it must be."""
        known = self.known_objects(index)
        if known is None:
            objects = self.annotation(index).objects or image_objects([])
            known = objects.classes, objects.crowd
        return known

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored; as PNG, frame below frame, if it is not."""
        image = self[index].image
        return encode_image(image.reshape(-1, *image.shape[-2:]), ".png")

    def name(self, index: int) -> str:
        """Returns what to call an image in messages: a path where there is one."""
        return f"{type(self).__name__}[{index}]"

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was read, repaired and dropped, and images with more than `max_objects`."""
        del max_objects
        return f"{len(self):,} images; {len(self.classes)} classes"

    def repaired(self) -> list[str]:
        """Reports what was repaired in the whole dataset, a line each."""
        return []

    def digest(self) -> str:
        """Sums up names of files, classes and annotations, not pixels: SHA-256."""
        hashed = hashlib.sha256(repr((len(self), self.classes)).encode())
        if self.labels is not None:
            hashed.update(np.ascontiguousarray(self.labels).tobytes())
        for known in self.all_known_objects(range(len(self))) or ():
            for array in known:
                hashed.update(np.ascontiguousarray(array).tobytes())
        for index in range(len(self)):
            # The folder may be another one on another host.
            hashed.update(self.name(index).rpartition("/")[2].encode())
        return hashed.hexdigest()


class View(Source):
    """A dataset made of another one, `source`, to which it leaves whatever it does not change."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.classes, self.labels = source.classes, source.labels
        self.dense, self.max_objects = source.dense, source.max_objects

    def at(self, index: int) -> int:
        """Returns which image of the source an index stands for."""
        return index

    def __len__(self) -> int:
        return len(self.source)

    def annotation(self, index: int) -> Annotation:
        """As the source does."""
        return self.source.annotation(self.at(index))

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """As the source does."""
        return self.source.image(self.at(index), max_reduction)

    def known_objects(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """As the source does."""
        return self.source.known_objects(self.at(index))

    def encoded(self, index: int) -> bytes:
        """As the source does."""
        return self.source.encoded(self.at(index))

    def name(self, index: int) -> str:
        """As the source does."""
        return self.source.name(self.at(index))

    def describe(self, max_objects: int | None = None) -> str:
        """As the source does."""
        return self.source.describe(max_objects)

    def repaired(self) -> list[str]:
        """As the source does."""
        return self.source.repaired()


# One example of a source: changed, and whatever it carries moved with its pixels.
Transform = Callable[[Sample, np.random.Generator], Sample]
# Reads one example, perhaps together with others (mosaic, mixup) or only a part of it.
Reader = Callable[[Source, int, np.random.Generator], Sample]


def read_reduced(source: Source, index: int, max_reduction: int) -> Sample:
    """Reads all of a dense source's sample; of another one the image alone, perhaps reduced."""
    if source.dense:
        return source[index]
    return Sample(source.image(index, max_reduction)[0], index)
