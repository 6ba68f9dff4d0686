"""What the recipes of generative models share: their data, and when images are drawn."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.data.generation import Requests, generation_example, generation_source
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.source import Source
from jaxvision.data.splits import open_split
from jaxvision.data.stream import Stream
from jaxvision.ops import ranges
from jaxvision.recipes import image_splits
from jaxvision.recipes.values import Config
from jaxvision.recipes.words import words

# Words of a config's argument: the format of the data.
SOURCES = ("digits", "mnist", "cifar10", "folder")

# What a continued run may change.
FREE = (*image_splits.FREE, "eval.samples")


def defaults() -> Config:
    """Returns the values that all of them have; those of drawn digits. Not yet locked."""
    config = image_splits.defaults()
    config.image_size = (32, 32)  # height and width
    config.channels = 1  # 3 for RGB
    config.batch_size = 64
    config.log_every = 50

    config.data.source = "digits"
    config.data.cache_bytes = 300_000_000

    config.augment = ConfigDict()
    config.augment.resize = 0.0  # of the shorter side, in image sizes, before the cut; 0: not
    config.augment.flip = 0.0

    config.eval.samples = 64  # images that are drawn at each evaluation, from the same noise
    config.eval.images = 1024  # images of val that are measured, at most
    return config


def parse(arg: str, **choices: Any) -> tuple[str, ...]:
    """Reads a config's argument: `choices` as `words` takes them, then a source."""
    return words(arg, **choices, source=SOURCES)


def from_source(config: Config, source: str) -> None:
    """Sets what depends on the data.

    Args:
        config: The values.
        source: One of `SOURCES`. `cifar10` reads image folders or their archives.
    """
    config.data.source = {"cifar10": "image_folder", "folder": "pictures"}.get(source, source)
    if source == "digits":
        config.data.update(train_images=20_000, val_images=1_000)
    elif source == "folder":
        config.data.val_share = 0.05
        config.augment.resize = 1.0
    else:
        config.data.val = "test"
    if source in ("cifar10", "folder"):
        config.channels = 3
        config.augment.flip = 0.5


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training images.

    Returns:
        JSON: `class_names` and `train_images`, their number.
    """
    del config
    return dict(class_names=list(train.classes), train_images=len(train))


def open_splits(config: Config, info: Mapping[str, Any] | None, *parts: str) -> tuple[Source, ...]:
    """Opens the images of splits, `train` first, and says what they are.

    Args:
        config: The values.
        info: That of the run which is continued.
        *parts: Which of `train` and `val`.

    Raises:
        ValueError: If a value is out of its range.
    """
    ranges.check(config, "[1, inf)", "eval.images")
    found = image_splits.open_splits(generation_source, config, info, parts=parts, **_drawn(config))
    print(*(each.describe() for each in found), sep="\n")
    return found


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation, its classes in the order of `info`.

    Args:
        config: The values.
        info: What `info` returned for the training data.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split.
    """
    options = image_splits.options(config, info, split) | _drawn(config)
    return eval_stream(config, open_split(generation_source, split, **options))


def train_stream(config: Config, source: Source) -> Stream:
    """Returns the batches to learn from."""
    return Stream(
        Shuffled(len(source), config.batch_size),
        _example(config, source, config.augment.flip),
        seed=config.seed,
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )


def eval_stream(config: Config, source: Source) -> Stream:
    """Returns the first images of a split.

    Raises:
        ValueError: If a value is out of its range.
    """
    ranges.check(config, "[1, inf)", "eval.images")
    return Stream(
        InOrder(min(len(source), config.eval.images), config.eval.batch_size or config.batch_size),
        _example(config, source, 0.0),
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )


def request_stream(config: Config, info: Mapping[str, Any]) -> Stream:
    """Returns one batch that asks for `eval.samples` images, of all classes in turn."""
    ranges.check(config, "[1, 65_536]", "eval.samples")
    plan = InOrder(config.eval.samples, config.eval.samples)
    return Stream(plan, Requests(len(info["class_names"])))


def _example(config: Config, source: Source, flip: float) -> Any:
    size = image_splits.image_size(config)
    ranges.check(config, "[0, 16]", "augment.resize")
    ranges.check(config, "[0, 1]", "augment.flip")
    resize = round(config.augment.resize * min(size)) or None
    return generation_example(source, size, resize=resize, flip=flip)


def _drawn(config: Config) -> dict[str, Any]:
    """Returns further keywords of the source for what is drawn: its size, without noise."""
    if config.data.source != "digits":
        return {}
    return {"image_size": min(image_splits.image_size(config)), "noise": (0.0, 0.0)}
