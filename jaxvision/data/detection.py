"""Opens detection datasets by the name of their format."""

import os
from collections.abc import Callable
from typing import Any

from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.example import DetectionSource
from jaxvision.data.readers.coco import coco
from jaxvision.data.readers.csv import csv
from jaxvision.data.readers.tfds import tfds
from jaxvision.data.readers.voc import voc
from jaxvision.data.readers.yolo import yolo
from jaxvision.data.sources.packed import packed
from jaxvision.data.sources.shapes import shapes
from jaxvision.data.sources.subset import (
    Subset,
    fold_indices,
    parse_fold,
    rarest_classes,
    split_indices,
)

READERS: dict[str, Callable[..., DetectionSource]] = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "csv": csv,
    "packed": packed,
}


def detection_source(
    source: str,
    path: str | None,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    on_fault: OnFault = stop,
    **options: Any,
) -> DetectionSource:
    """Opens one split of a detection dataset.

    Args:
        source: `shapes`, `coco`, `voc`, `yolo`, `csv`, `packed` or `tfds:<name>`, as
            `tfds:voc/2007`.
        path: Folder of the dataset; None or empty for `shapes`.
        split: Name of the split, or a file, as the format has it; see the readers.
        classes: The classes to use, in order: those of the training split when reading another one.
            An object of any other class is an error. By default the dataset's own.
        strict: Takes boxes outside their image and boxes without extent for errors, instead of
            clipping and dropping them.
        on_fault: Gets every fault that can be read past, and what is faulty is left out if it
            returns; by default the first one is raised. Others are raised in any case. `shapes` has
            none.
        **options: What the one source takes besides: `length`, `image_size` and `seed` for shapes,
            `images` for coco and csv, `ignore_difficult` for voc.

    Returns:
        The examples, checked as far as that goes without reading the images.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If `source` is unknown.
    """
    if source == "shapes":
        return shapes(split, classes=classes, **options)
    options |= {"classes": classes, "strict": strict, "on_fault": on_fault}
    kind, _, name = source.partition(":")
    if source not in READERS and not (kind == "tfds" and name):
        known = ", ".join(["shapes", *READERS, "tfds:<name>"])
        raise ValueError(f"data.source must be one of {known}, got {source!r}")
    if not path:
        raise DataError(f"data.path must name the folder of the dataset for data.source={source}")
    if not split:
        raise DataError(f"data.train and data.val must name a split of {path}, got {split!r}")
    # No shell expands the ~ in --config.data.path=~/data.
    path = os.path.expanduser(path)
    if kind == "tfds":
        return tfds(path, split, name=name, **options)
    return READERS[source](path, split, **options)


def detection_split(
    source: str,
    path: str | None,
    *,
    train: str,
    val: str,
    fold: str = "",
    val_share: float = 0.0,
    split_seed: int = 0,
    classes: tuple[str, ...] | None = None,
    train_images: int | None = None,
    val_images: int | None = None,
    **options: Any,
) -> tuple[DetectionSource, DetectionSource]:
    """Opens what a training run needs: a dataset's two splits, or two parts of its one.

    A dataset is divided by the rarest class of each image, so that both parts have their share of
    every class; one that does not know its classes without reading the images is divided at
    random.

    Args:
        source: As for `detection_source`.
        path: Folder of the dataset.
        train: Split to train on.
        val: Split to evaluate on; not looked at with `fold` or `val_share`.
        fold: `2/5` evaluates on the second of five parts of `train` and trains on the others.
        val_share: Part of `train` to evaluate on, in (0, 1), and not to train on; 0 for none.
        split_seed: Another number divides otherwise.
        classes: The classes to use, in order; those of `train` by default.
        train_images: Length of `train`, for shapes.
        val_images: Length of `val`, for shapes.
        **options: As for `detection_source`.

    Returns:
        The examples to train on and those to evaluate on, of the same classes.

    Raises:
        DataError: If the dataset has a fault, or too few images to be divided.
        ValueError: If `source` is unknown, `fold` is none, `val_share` is out of its range, or both
            are given.
    """
    part = parse_fold(fold) if fold else None
    if part and val_share:
        raise ValueError(
            f"data.fold and data.val_share exclude each other, got {fold} and {val_share}"
        )
    if val_share and not 0 < val_share < 1:
        raise ValueError(f"data.val_share must be between 0 and 1, got {val_share}")
    first, second = dict[str, Any](options), dict[str, Any](options)
    if train_images is not None:
        first["length"] = train_images
    if val_images is not None:
        second["length"] = val_images
    whole = detection_source(source, path, train, classes=classes, **first)
    if not part and not val_share:
        return whole, detection_source(source, path, val, classes=whole.classes, **second)
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
