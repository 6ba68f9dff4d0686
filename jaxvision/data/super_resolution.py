"""Opens pictures for super-resolution, and makes examples of them."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence

import numpy as np

from jaxvision.data.augment.patch import EightFold, RandomPatch
from jaxvision.data.degradation import Degradation
from jaxvision.data.readers.super_resolution import picture_folder
from jaxvision.data.rows import Row, super_resolution_row
from jaxvision.data.sample import Sample
from jaxvision.data.source import Source, Transform
from jaxvision.data.sources.cached import cached
from jaxvision.data.sources.decoded import Decoded
from jaxvision.data.sources.pictures import Degraded, Interpolated
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.sources.subset import Subset
from jaxvision.data.splits import split_indices
from jaxvision.data.transforms import Example, Pipeline


@dataclasses.dataclass(frozen=True)
class Sets:
    """Pictures to train on and named sets to evaluate on.

    Attributes:
        train: Pictures.
        evaluated: Sets by name; that of the only one may be empty.
    """

    train: Source
    evaluated: dict[str, Source]


def open_pictures(
    path: str,
    split: str,
    *,
    length: int = 0,
    size: int = 96,
    seed: int = 0,
    scale: int = 1,
    low: str = "",
) -> Source:
    """Opens pictures.

    Args:
        path: A folder or a picture; empty for drawn ones.
        split: As `picture_folder` takes it, or the name of the drawn split.
        length: Number of drawn pictures.
        size: Their side in pixels.
        seed: Of drawn pictures.
        scale: Of pictures of low resolution.
        low: `files` to read these, too.

    Raises:
        DataError: If there is no picture.
        ValueError: If `low` is unknown.
    """
    if low not in ("", "files"):
        raise ValueError(f"data.low must be files, or empty to compute them, got {low}")
    if not path:
        return Shapes(length or 200, image_size=size, seed=seed, split=split)
    return picture_folder(path, split, scale=scale, low=low == "files")


def evaluation_sets(paths: str, **options: object) -> dict[str, Source]:
    """Opens folders of Set5's layout, separated by commas, by the names of the folders.

    Raises:
        DataError: If one has no picture.
        ValueError: If two folders have the same name.
    """
    found: dict[str, Source] = {}
    for path in filter(None, (part.strip() for part in paths.split(","))):
        name = os.path.basename(os.path.normpath(os.path.expanduser(path)))
        if name in found:
            raise ValueError(
                f"data.eval must name folders of different names, got two called {name}"
            )
        found[name] = open_pictures(path, "valid", **options)  # pyright: ignore[reportArgumentType]
    return found


def divided(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """Takes a part of the pictures for validation, at least one; see `split_indices`."""
    train, val = split_indices(len(source), share, seed)
    return Subset(source, train), Subset(source, val)


class Joined(Source):
    """Sets of pictures one after another.

    Attributes:
        sets: By name.
    """

    dense = True

    def __init__(self, sets: dict[str, Source]) -> None:
        """Takes at least one set."""
        self.sets = sets
        self._ends = np.cumsum([len(source) for source in sets.values()])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def place(self, index: int) -> tuple[str, int]:
        """Returns the set that a picture is of, and its number there."""
        self.check_index(index)
        number = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[number - 1]) if number else 0
        return list(self.sets)[number], index - before

    def __getitem__(self, index: int) -> Sample:
        """Reads a picture."""
        name, number = self.place(index)
        return self.sets[name][number].replace(index=index)

    def name(self, index: int) -> str:
        """Names a picture as its set does."""
        name, number = self.place(index)
        return self.sets[name].name(number)

    def describe(self, max_objects: int | None = None) -> str:
        """Describes each set."""
        return "\n".join(
            f"{name or 'val'}: {source.describe(max_objects)}" for name, source in self.sets.items()
        )


def prepared(
    source: Source,
    degradation: Degradation,
    *,
    y_alone: bool | None = None,
    cache_bytes: int = 0,
    decoded: str = "",
) -> Source:
    """Pairs pictures with those of low resolution, and keeps them decoded.

    Args:
        source: Pictures, perhaps with their counterparts.
        degradation: Makes these. One that draws is left to `patch_example`, and pictures are kept
            as they are.
        y_alone: For a network that takes interpolated pictures, whether of Y alone; None for
            others.
        cache_bytes: Up to this many bytes of arrays are kept in memory.
        decoded: Folder in which arrays are kept on the disk; empty for none.
    """
    if not degradation.random:
        source = Degraded(source, degradation)
        if y_alone is not None:
            source = Interpolated(source, y_alone=y_alone)
    if decoded:
        source = Decoded(source, decoded, f"{degradation} {y_alone}")
    return cached(source, cache_bytes)


@dataclasses.dataclass(frozen=True)
class _Degrade:
    """Makes the counterpart of a patch."""

    degradation: Degradation
    y_alone: bool | None

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        whole = _One(Sample(np.ascontiguousarray(sample.image), sample.index))
        pair = Sample(self.degradation(whole.sample.image, rng), sample.index, target=sample.image)
        if self.y_alone is None:
            return pair
        return Interpolated(_One(pair), y_alone=self.y_alone)[0]


class _One(Source):
    """A single sample."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Sample:
        return self.sample


def patch_example(
    source: Source,
    side: int,
    degradation: Degradation,
    *,
    turn: bool = True,
    y_alone: bool | None = None,
) -> Example:
    """Returns a function `(index, rng) -> row`: a patch, turned in one of eight ways.

    Args:
        source: As `prepared` returns it.
        side: Of a patch in pixels of the target.
        degradation: That of `prepared`.
        turn: Whether patches are mirrored and turned.
        y_alone: That of `prepared`.

    Returns:
        Rows of image, target [side, side, 3] and index.

    Raises:
        ValueError: If the scale does not divide the side.
    """
    if side % degradation.scale:
        raise ValueError(
            f"image_size, the side of a patch, must be a multiple of the scale "
            f"{degradation.scale}, got {side}"
        )
    transforms: list[Transform] = [RandomPatch(side, source.name)]
    if turn:
        transforms.append(EightFold())
    if degradation.random:
        transforms.append(_Degrade(degradation, y_alone))
    return Example(source, Pipeline(transforms=tuple(transforms)), _contiguous)


def _contiguous(sample: Sample) -> Row:
    return {name: np.asarray(x, order="C") for name, x in super_resolution_row(sample).items()}


def whole_example(sets: Joined) -> Callable[[int, np.random.Generator], Row]:
    """Returns a function `(index, rng) -> row` for evaluation: a whole picture.

    Rows have image, target, index and, as `truth`, the name of the set.
    """
    example = Example(sets, Pipeline(), super_resolution_row)
    return functools.partial(_with_set, example, sets)


def _with_set(example: Example, sets: Joined, index: int, rng: np.random.Generator) -> Row:
    row: Row = {**example(index, rng)}
    row["truth"] = sets.place(index)[0]  # pyright: ignore[reportArgumentType]
    return row


def repeated(source: Source, times: int) -> Source:
    """Shows each picture several times an epoch: patches of it.

    Raises:
        ValueError: If `times` is not positive.
    """
    if times < 1:
        raise ValueError(f"data.patches must be at least 1, got {times}")
    return Subset(source, np.tile(np.arange(len(source)), times)) if times > 1 else source


def names_of(sources: Sequence[Source]) -> list[str]:
    """Returns the names of all pictures, without folders."""
    return [os.path.basename(s.name(i)) for s in sources for i in range(len(s))]
