"""Opens a dataset by the name of its format."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from jaxvision.data.errors import DataError
from jaxvision.data.readers.tfds import prepared

T = TypeVar("T")


def open_named(
    source: str,
    path: str | None,
    split: str,
    readers: Mapping[str, Callable[..., T]],
    wrap: Callable[..., T],
    /,
    first: Sequence[str] = (),
    last: Sequence[str] = (),
    **options: Any,
) -> T:
    """Opens a split by one of `readers`; that of `tfds:<name>` as `prepared` does with `wrap`.

    Raises:
        DataError: If `path` or `split` is empty, or as the reader does.
        ValueError: If there is no such format; those listed begin with `first`, end with `last`.
    """
    kind, _, name = source.partition(":")
    if source not in readers and not (kind == "tfds" and name):
        known = [*first, *readers, "tfds:<name>", *last]
        raise ValueError(f"data.source must be one of {', '.join(known)}, got {source!r}")
    if not path:
        raise DataError(f"data.path must name the folder of the dataset for data.source={source}")
    if not split:
        raise DataError(f"data.train and data.val must name a split of {path}, got {split!r}")
    if options.pop("length", None) is not None:
        raise ValueError(
            "data.train_images, val_images and test_images are for drawn data and must be 0 for "
            f"data.source={source}; a config that knows the source has them so, as yolox:{kind}"
        )
    path = os.path.expanduser(path)  # no shell does it in --config.data.path=~/data
    if kind == "tfds":
        return prepared(wrap, path, split, name=name, **options)
    return readers[source](path, split, **options)
