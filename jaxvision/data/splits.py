"""Training, validation and test parts of a dataset, for every kind of source."""

from collections.abc import Callable
from typing import Any

from jaxvision.data.source import Source


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
    """Opens the examples to train on and those to evaluate on, of the same classes.

    `open_source` is `detection_source` or `classification_source`.
    """
    raise NotImplementedError


def open_split(
    open_source: Callable[..., Source],
    split: str,
    source: str,
    path: str | None,
    *,
    train: str,
    val: str,
    test: str = "",
    classes: tuple[str, ...] | None = None,
    val_share: float = 0.0,
    fold: str = "",
    split_seed: int = 0,
    train_images: int | None = None,
    val_images: int | None = None,
    test_images: int | None = None,
    **options: Any,
) -> Source:
    """Opens the part named `train`, `val` or `test` alone; the same keywords as `splits`."""
    raise NotImplementedError
