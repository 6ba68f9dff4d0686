"""Parts of a dataset: for those that come without a validation split."""

import re
from collections.abc import Sequence

import numpy as np

from jaxvision.data.annotations import Mended, Report
from jaxvision.data.example import (
    Annotation,
    DetectionExample,
    DetectionSource,
    LabelledDetectionSource,
    lazy,
    stored,
)


class Subset:
    """Some images of a dataset, in the order given.

    It reads no more than its source would, and tells of an image what its source tells.

    Attributes:
        classes: Class names, in the order of their indices: all those of the source.
        max_objects: The most objects that one of the images has, crowds included; of the whole
            source where that does not know them without reading the images.
    """

    def __init__(self, source: DetectionSource, indices: Sequence[int] | np.ndarray) -> None:
        """Counts the objects, if that takes no image to be read.

        Args:
            source: The whole dataset.
            indices: Which of its images.

        Raises:
            ValueError: If there is none, or one that the source does not have.
        """
        self._indices = np.asarray(indices, np.int64)
        if self._indices.ndim != 1 or not len(self._indices):
            raise ValueError(f"expected a list of at least one index, got {indices}")
        if self._indices.min() < 0 or self._indices.max() >= len(source):
            raise ValueError(
                f"indices must be in [0, {len(source)}), got {self._indices.min()} to "
                f"{self._indices.max()}"
            )
        self.classes = source.classes
        self._source = source
        self._lazy = lazy(source)
        self._report: Report | None = None
        self.max_objects = source.max_objects
        if isinstance(source, LabelledDetectionSource):
            labels = [source.labels(int(index)) for index in self._indices]
            self.max_objects = max(len(classes) for classes, _ in labels)
            trained = [classes[~crowd] for classes, crowd in labels]
            self._report = Report(
                counts=np.array([len(classes) for classes in trained]),
                classes=source.classes,
                per_class=np.bincount(np.concatenate(trained), minlength=len(source.classes)),
                crowds=sum(int(crowd.sum()) for _, crowd in labels),
                outside=Mended(0, ()),
                degenerate=Mended(0, ()),
            )

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> DetectionExample:
        """Reads an image with its objects."""
        return self._source[self._at(index)]

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        return self._lazy.annotation(self._at(index))

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image, at a fraction of its size if that is faster."""
        return self._lazy.image(self._at(index), max_reduction)

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored, as PNG if it is not."""
        return stored(self._source, self._at(index))

    def labels(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the classes and crowd flags of an image's objects."""
        if isinstance(self._source, LabelledDetectionSource):
            return self._source.labels(self._at(index))
        example = self[index]
        return example.classes, example.crowd

    def name(self, index: int) -> str:
        """Says which image that is."""
        return self._source.name(self._at(index))

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what these images hold, a few lines."""
        part = f"{len(self):,} of {len(self._source):,} images"
        if self._report is None:
            return f"{part} of: {self._source.describe()}"
        mended = [f"in all {len(self._source):,}: {line}" for line in self.mended()]
        return "\n".join([f"{part}:", self._report.text(max_objects), *mended])

    def mended(self) -> list[str]:
        """Reports what had to be mended in the whole dataset."""
        return self._source.mended() if isinstance(self._source, LabelledDetectionSource) else []

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}), got {index}")
        return int(self._indices[index])


def split_indices(
    length: int, share: float, seed: int, strata: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a part of a dataset for validation.

    The images stand in a line as for `fold_indices`; those for validation are taken at equal
    distances from it, round(length * share) but at least 1 and not all. So each stratum gives its
    share, to within one image.

    Args:
        length: Images in the dataset, I.
        share: Of them for validation, in (0, 1).
        seed: Another seed draws others.
        strata: Group of each image [I] int; one group by default.

    Returns:
        Indices for training and for validation, both sorted.

    Raises:
        ValueError: If `share` is out of its range, or `length` below 2.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share for validation must be between 0 and 1, got {share}")
    if length < 2:
        raise ValueError(f"a dataset to be split must have at least 2 images, got {length}")
    count = min(max(round(length * share), 1), length - 1)
    reached = np.arange(1, length + 1) * count // length
    chosen = np.diff(reached, prepend=0) > 0
    return _parted(_line(length, seed, strata), chosen)


def fold_indices(
    length: int, fold: tuple[int, int], seed: int, strata: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Takes one of n equal folds of a dataset for validation and the others for training.

    The images stand in a line, stratum by stratum and in each in random order, and are dealt out
    to the folds in turn. So the folds differ by at most one image, in all and in each stratum, and
    a stratum of n images or more is in every fold. The line depends on the length, the seed and
    the strata alone, on every machine.

    Args:
        length: Images in the dataset, I.
        fold: (k, n) for the k-th fold of n, k from 1.
        seed: Another seed deals otherwise; the same for all folds.
        strata: Group of each image [I] int; one group by default.

    Returns:
        Indices for training and for validation, both sorted.

    Raises:
        ValueError: If there is no such fold, or fewer images than folds.
    """
    number, count = fold
    if count < 2 or not 1 <= number <= count:
        raise ValueError(f"fold k of n must have n >= 2 and 1 <= k <= n, got {number} of {count}")
    if length < count:
        raise ValueError(f"{count} folds need at least {count} images, got {length}")
    return _parted(_line(length, seed, strata), np.arange(length) % count == number - 1)


def parse_fold(text: str) -> tuple[int, int]:
    """Reads `2/5`, the second of five folds.

    Raises:
        ValueError: If it is no fold.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    number, count = (int(group) for group in match.groups()) if match else (0, 0)
    if count < 2 or not 1 <= number <= count:
        raise ValueError(
            f"a fold must be 1/5 to 5/5, for one of five or of 2 or more, got {text!r}"
        )
    return number, count


def rarest_classes(source: DetectionSource) -> np.ndarray | None:
    """Groups images by the class of theirs that the fewest images of the dataset hold.

    Args:
        source: The dataset.

    Returns:
        That class, or -1 for an image without objects, crowds left out [I] int64; None if the
        source does not know its objects without reading the images.
    """
    if not isinstance(source, LabelledDetectionSource):
        return None
    held = [np.unique(classes[~crowd]) for classes, crowd in map(source.labels, range(len(source)))]
    images = np.bincount(np.concatenate(held), minlength=len(source.classes))
    return np.array([found[np.argmin(images[found])] if len(found) else -1 for found in held])


def _line(length: int, seed: int, strata: np.ndarray | None) -> np.ndarray:
    """Orders [0, length) by stratum, and in each at random."""
    if strata is None:
        strata = np.zeros(length, np.int64)
    if np.shape(strata) != (length,):
        raise ValueError(f"strata must be one number an image, {length}, got {np.shape(strata)}")
    # numpy promises the bits of a generator for good, but not what `permutation` makes of them.
    keys = np.random.PCG64(seed).random_raw(length)
    return np.lexsort((keys, strata))


def _parted(line: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sort(line[~chosen]), np.sort(line[chosen])
