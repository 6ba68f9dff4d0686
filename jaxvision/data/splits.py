"""Training, validation and test parts of a dataset, for every kind of source."""

import re
from collections.abc import Callable
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
    val_share: float = 0.0,
    fold: str = "",
    split_seed: int = 0,
    classes: tuple[str, ...] | None = None,
    train_images: int | None = None,
    val_images: int | None = None,
    **options: Any,
) -> tuple[Source, Source]:
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
        val_share: Part of `train` to evaluate on, in (0, 1), and not to train on; 0 for none.
        fold: `2/5` evaluates on the second of five parts of `train` and trains on the others.
        split_seed: Another number divides otherwise.
        classes: The classes to use, in order; those of `train` by default.
        train_images: Length of `train`, for a dataset that is drawn.
        val_images: Length of `val`, for a dataset that is drawn.
        **options: As for `open_source`.

    Returns:
        The examples to train on and those to evaluate on, of the same classes.

    Raises:
        DataError: If the dataset has a fault, or too few images to be divided.
        ValueError: If `source` is unknown, `fold` is malformed, `val_share` is out of its range, or
            both are given.
    """
    part = parse_fold(fold) if fold else None
    if part and val_share:
        raise ValueError(
            f"data.fold and data.val_share exclude each other, got {fold} and {val_share}"
        )
    if val_share and not 0 < val_share < 1:
        raise ValueError(f"data.val_share must be between 0 and 1, got {val_share}")
    whole = open_source(source, path, train, classes=classes, **_sized(options, train_images))
    if not part and not val_share:
        others = _sized(options, val_images)
        return whole, open_source(source, path, val, classes=whole.classes, **others)
    if len(whole) < (part[1] if part else 2):
        raise DataError(
            f"the split {train} has {len(whole)} images, too few to be divided; add images or name "
            "a split to evaluate on by data.val"
        )
    strata = rarest_classes(whole)
    if part:
        halves = fold_indices(len(whole), part, split_seed, strata)
    else:
        halves = split_indices(len(whole), val_share, split_seed, strata)
    return Subset(whole, halves[0]), Subset(whole, halves[1])


def open_split(
    open_source: Callable[..., Source],
    split: str,
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
    **options: Any,
) -> Source:
    """Opens one part of a dataset, reading no other one than it is a part of.

    Args:
        open_source: `detection_source` or `classification_source`.
        split: `train`, `val` or `test`.
        source: As for `splits`, as the other arguments.
        path: As for `splits`.
        train: As for `splits`.
        val: As for `splits`.
        test: Split to test on.
        val_share: As for `splits`.
        fold: As for `splits`.
        split_seed: As for `splits`.
        classes: As for `splits`; give those of a trained run to number them as it did.
        train_images: As for `splits`.
        val_images: As for `splits`.
        test_images: Length of `test`, for a dataset that is drawn.
        **options: As for `open_source`.

    Raises:
        DataError: If the dataset has a fault, or too few images to be divided.
        ValueError: If there is no such split, or a value is out of its range.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be train, val or test, got {split!r}")
    if split != "test" and (val_share or fold):
        both = splits(
            open_source,
            source,
            path,
            train=train,
            val=val,
            val_share=val_share,
            fold=fold,
            split_seed=split_seed,
            classes=classes,
            train_images=train_images,
            **options,
        )
        return both[split == "val"]
    names = {"train": train, "val": val, "test": test}
    if not names[split]:
        raise ValueError(f"data.{split} must name a split of the dataset, got {names[split]!r}")
    lengths = {"train": train_images, "val": val_images, "test": test_images}
    sized = _sized(options, lengths[split])
    return open_source(source, path, names[split], classes=classes, **sized)


def _sized(options: dict[str, Any], length: int | None) -> dict[str, Any]:
    return options if length is None else {**options, "length": length}


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
        seed: Another seed gives other folds; the same for all of them.
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
        ValueError: If it is not of that form.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    number, count = (int(group) for group in match.groups()) if match else (0, 0)
    if count < 2 or not 1 <= number <= count:
        raise ValueError(
            f"a fold must be 1/5 to 5/5, for one of five or of 2 or more, got {text!r}"
        )
    return number, count


def rarest_classes(source: Source) -> np.ndarray | None:
    """Groups images by the class of theirs that the fewest images of the dataset show.

    Args:
        source: The dataset, of objects or of labels.

    Returns:
        That class, or -1 for an image without any, crowds excluded [I] int64; None if the source
        does not know its objects without reading the images.
    """
    if source.labels is not None:
        if source.labels.ndim == 1:
            return source.labels.astype(np.int64)
        shown = [np.flatnonzero(targets) for targets in source.labels]
    else:
        found = [source.known_objects(index) for index in range(len(source))]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
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
