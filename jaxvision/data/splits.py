"""Training, validation and test parts of a dataset, for every kind of source."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.source import Source
from jaxvision.data.sources.subset import Subset


def splits(
    open_source: Callable[..., Source],
    source: str,
    path: str | None,
    *,
    train: str,
    val: str,
    test: str = "",
    val_share: float = 0.0,
    fold: str = "",
    split_seed: int = 0,
    classes: tuple[str, ...] | None = None,
    train_images: int | None = None,
    val_images: int | None = None,
    test_images: int | None = None,
    parts: Sequence[str] = ("train", "val"),
    **options: Any,
) -> tuple[Source, ...]:
    """Opens what a training run needs: a dataset's two splits, or two parts of its one.

    A dataset is divided by the class of each image, or by the rarest class of those that it shows,
    so that both parts have their share of every class; one that does not know its classes without
    reading the images is divided at random.

    Args:
        open_source: `detection_source` or `classification_source`.
        source: Format, as for `open_source`.
        path: Folder of the dataset.
        train: Split to train on.
        val: Split to evaluate on; not looked at with `fold` or `val_share`.
        test: Split to test on.
        val_share: Part of `train` to evaluate on, in (0, 1), and not to train on; 0 for none.
        fold: `2/5` evaluates on the second of five parts of `train` and trains on the others.
        split_seed: Another number divides otherwise.
        classes: The classes to use, in order; those of `train`, if it is opened, by default.
        train_images: Length of `train`, for a dataset that is drawn.
        val_images: As `train_images`.
        test_images: As `train_images`.
        parts: Which of `train`, `val` and `test` to open and return, in order, with the same
            classes; nothing else is read.
        **options: As for `open_source`.

    Raises:
        DataError: If the dataset has a fault, or too few images to be divided.
        ValueError: If a name or value is none of those above, or `fold` and `val_share` are given.
    """
    fold_of = parse_fold(fold) if fold else None
    if fold_of and val_share:
        both = f"{fold} and {val_share}"
        raise ValueError(f"data.fold and data.val_share exclude each other, got {both}")
    if val_share and not 0 < val_share < 1:
        raise ValueError(f"data.val_share must be between 0 and 1, got {val_share}")
    names = {"train": train, "val": val, "test": test}
    lengths = {"train": train_images, "val": val_images, "test": test_images}
    opened: dict[str, Source] = {}

    def whole(part: str) -> Source:
        length = {} if lengths[part] is None else {"length": lengths[part]}
        own = opened["train"].classes if "train" in opened else classes
        return open_source(source, path, names[part], classes=own, **options, **length)

    for part in parts:
        if part not in names:
            raise ValueError(f"split must be train, val or test, got {part!r}")
        if part in opened:
            continue
        if part != "test" and (fold_of or val_share):
            found = whole("train")
            if len(found) < (fold_of[1] if fold_of else 2):
                raise DataError(
                    f"the split {train} has {len(found)} images, too few to be divided; add images "
                    "or name a split to evaluate on by data.val"
                )
            opened["train"], opened["val"] = _divided(found, fold_of, val_share, split_seed)
        elif not names[part] and len(parts) == 1:
            raise ValueError(f"data.{part} must name a split of the dataset, got {names[part]!r}")
        else:
            opened[part] = whole(part)
    return tuple(opened[part] for part in parts)


def _divided(
    source: Source, fold: tuple[int, int] | None, share: float, seed: int
) -> tuple[Source, Source]:
    length, strata = len(source), rarest_classes(source)
    if fold:
        train, val = fold_indices(length, fold, seed, strata)
    else:
        train, val = split_indices(length, share, seed, strata)
    return Subset(source, train), Subset(source, val)


def open_split(
    open_source: Callable[..., Source], split: str, source: str, path: str | None, **options: Any
) -> Source:
    """Opens one of `train`, `val` and `test`, and nothing else of the dataset; see `splits`.

    Give it the classes of a trained run to number them as that did.
    """
    return splits(open_source, source, path, parts=(split,), **options)[0]


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

    The images stand in a line, stratum by stratum and in each in random order, which depends on the
    arguments alone, and are dealt out to the folds in turn. So the folds differ by at most one
    image, in all and in each stratum.

    Args:
        length: As for `split_indices`, which returns the same.
        fold: (k, n) for the k-th fold of n, k from 1.
        seed: As for `split_indices`, and the same for all folds.
        strata: As for `split_indices`.

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
    """Reads `2/5`, the second of five folds; ValueError if it is not of that form."""
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    number, count = (int(group) for group in match.groups()) if match else (0, 0)
    if count < 2 or not 1 <= number <= count:
        raise ValueError(
            f"a fold must be 1/5 to 5/5, for one of five or of 2 or more, got {text!r}"
        )
    return number, count


def rarest_classes(source: Source) -> np.ndarray | None:
    """Groups images by the class of theirs that the fewest images of the dataset show.

    Returns:
        That class, or -1 for an image without any, crowds excluded [I] int64; None if the source
        does not know its objects without reading the images.
    """
    if source.labels is not None:
        if source.labels.ndim == 1:
            return source.labels.astype(np.int64)
        shown = [np.flatnonzero(targets) for targets in source.labels]
    else:
        known = source.all_known_objects(range(len(source)))
        if known is None:
            return None
        shown = [np.unique(classes[~crowd]) for classes, crowd in known]
    images = np.bincount(np.concatenate(shown), minlength=len(source.classes))
    return np.array([found[np.argmin(images[found])] if len(found) else -1 for found in shown])


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
