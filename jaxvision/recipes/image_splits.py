"""From the group `data` to the splits of a dataset of images, whatever the problem."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxvision.data.source import Source
from jaxvision.data.splits import splits
from jaxvision.ops import ranges
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config

# Of the group `data`: what names a part of a dataset.
_NAMES = ("source", "path", "train", "val", "val_share", "fold", "split_seed", "cache_bytes")


# What a continued run may change, where its data are images.
FREE = (
    *values.FREE,
    "data.cache_bytes",
    "data.on_fault",
    "data.timeout",
    "data.test_images",
)


def defaults() -> Config:
    """Returns the values that every recipe of images and classes has; not yet locked."""
    config = values.common()
    config.data.classes = ""  # comma-separated; empty: as the data names them
    config.data.num_classes = 0  # 0: as many as the data names; another number is checked
    config.data.val_share = 0.0  # a part of train is val, for sets that come without one
    config.data.fold = ""  # "2/5": the second of five parts of train is val
    config.data.split_seed = 0
    config.data.on_fault = "error"  # drop: go on without unreadable images, listed every epoch
    config.data.timeout = 0.0  # seconds after which an image counts as unreadable; 0: waits
    config.data.cache_bytes = 0  # decoded images are kept in memory up to so many bytes
    # Images of each split, for data that are drawn; 0: its own number.
    config.data.train_images = config.data.val_images = config.data.test_images = 0
    return config


def options(
    config: Config, info: Mapping[str, Any] | None = None, split: str = ""
) -> dict[str, Any]:
    """Returns the keywords of `jaxvision.data.splits.splits`, or of `open_split` for one split.

    Args:
        config: The values.
        info: That of an existing run, whose classes the data must have.
        split: The only one to open; empty for training and validation.

    Raises:
        ValueError: If the config names no such split.
    """
    data = config.data
    found = {name: data[name] for name in _NAMES}
    counts = ["train_images", "val_images"]
    if split:
        if split not in ("train", "val", "test"):
            raise ValueError(f"split must be train, val or test, got {split}")
        if split == "test" and not data.test:
            raise ValueError("data.test must name a split to evaluate it, and it is empty")
        found["test"] = data.test
        counts.append("test_images")
    ranges.check(config, "[0, inf)", *(f"data.{part}_images" for part in ("train", "val", "test")))
    ranges.check(config, f"[0, {2**32 - 1}]", "data.split_seed")
    for name in counts:
        found[name] = data[name] or None
    found["classes"] = tuple(info["class_names"]) if info else wiring.class_names(config)
    return found


def open_splits(
    open_source: Callable[..., Source],
    config: Config,
    info: Mapping[str, Any] | None,
    *,
    parts: Sequence[str] = ("train", "val"),
    **own: Any,
) -> tuple[Source, ...]:
    """Opens the splits of a run, and compares the first with what the config and the run say.

    Args:
        open_source: As for `jaxvision.data.splits.splits`.
        config: The values.
        info: That of the run which is continued.
        parts: The splits, `train` first.
        **own: Further keywords of `open_source`, for the format.

    Raises:
        ValueError: If the classes or the number of images are not those expected.
    """
    found = splits(open_source, **(options(config, info) | own), parts=parts)
    check_classes(config, found[0])
    if info is not None:
        check_length(info, found[0])
    return found


def image_size(config: Config) -> tuple[int, int]:
    """Returns the height and width of the network's input in pixels.

    Raises:
        ValueError: If `image_size` is not two positive numbers.
    """
    ranges.check(config, "[1, 65_536]", "image_size")
    size = tuple(config.image_size)
    if len(size) != 2:
        raise ValueError(f"image_size must be a height and a width, got {size}")
    return size[0], size[1]


def check_classes(config: Config, train: Source) -> None:
    """Compares `data.num_classes` with the data.

    Raises:
        ValueError: If they differ.
    """
    names = train.classes
    if config.data.num_classes not in (0, len(names)):
        raise ValueError(
            f"data.num_classes must be 0 or {len(names)}, as the data names the classes "
            f"{', '.join(names)}; got {config.data.num_classes}"
        )


def check_length(info: Mapping[str, Any], train: Source) -> None:
    """Compares the number of training images with the one that a run was started with.

    Raises:
        ValueError: If they differ: an epoch would have another number of steps.
    """
    if info["train_images"] != len(train):
        raise ValueError(
            f"data.train has {len(train):,} images, and the run was started with "
            f"{info['train_images']:,}; continue it with the same data, or start another in a new "
            "folder with --workdir"
        )


def reading(config: Config) -> dict[str, Any]:
    """Returns the keywords of a stream that say how it is read.

    Raises:
        ValueError: If a number is out of its range.
    """
    ranges.check(config, "[0, inf)", "data.timeout")
    return dict(
        num_workers=config.num_workers,
        prefetch=config.data.prefetch,
        on_fault=wiring.on_fault(config, "on_fault"),
        timeout=config.data.timeout,
    )
