"""Datasets that are drawn when they are read: no download, no disk, always the same pictures."""

import zlib

import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation, Source
from jaxvision.data.sources.labelled import check_same_classes, describe_labels
from jaxvision.ops import ranges


def check_no_path(source: str, path: str | None) -> None:
    """Checks that no files are meant where the data are drawn.

    Args:
        source: Name of the drawn data.
        path: Where files would be; None or empty for none.

    Raises:
        ValueError: If there is a path.
    """
    if path:
        raise ValueError(
            f"data.path must be empty for data.source={source}, which is drawn and reads no files; "
            f"got {path}. Name the format of that data by data.source, or in the argument of the "
            "config."
        )


class Drawn(Source):
    """Pictures of which each is a function of seed, split and number."""

    kind: str  # the name of the dataset
    smallest: int  # image_size

    def __init__(
        self, length: int, image_size: int, seed: int, split: str, classes: tuple[str, ...] | None
    ) -> None:
        """Describes a split; nothing is drawn yet.

        Args:
            length: Number of pictures.
            image_size: Their side in pixels.
            seed: Another seed is another dataset.
            split: Any name; splits of other names have other pictures.
            classes: None, or those of the pictures.

        Raises:
            DataError: If `classes` are given and are not those of the pictures.
            ValueError: If `length` or `image_size` is too small.
        """
        check_same_classes(self.kind, self.classes, classes)
        # Every picture has a label, an order in an epoch and the like in memory.
        ranges.check({"length": length}, "[1, 10_000_000]", "length")
        if image_size < self.smallest:
            raise ValueError(f"image_size must be at least {self.smallest}, got {image_size}")
        self._name = f"{self.kind}/{split}"
        self._length, self._size = length, image_size
        self._seed, self._split = seed, split

    def __len__(self) -> int:
        return self._length

    def _rng(self, index: int) -> np.random.Generator:
        self.check_index(index)
        return np.random.default_rng([self._seed, zlib.crc32(self._split.encode()), index])

    def name(self, index: int) -> str:
        """Names a picture by its number."""
        return f"{self._name}[{index}]"


class DrawnClasses(Drawn):
    """Pictures or clips with a class each, which `image` draws.

    Attributes:
        labels: Class of each [I] int32.
    """

    labels: np.ndarray

    def __getitem__(self, index: int) -> Sample:
        """Draws a picture and names its class."""
        return Sample(self.image(index)[0], index, label=self.label(index))

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of every picture."""
        del index
        return Annotation(self._size, self._size)

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what the split is."""
        del max_objects
        return (
            f"{describe_labels(self._name, self.labels, self.classes)}; {self._size} x "
            f"{self._size} pixels, drawn with seed {self._seed}"
        )
