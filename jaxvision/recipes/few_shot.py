"""Few-shot learning: classes that training never saw, from a few images of each."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.classification_examples import classification_eval_example
from jaxvision.data.plans.episodes import Episode, Episodes, EpisodesOfSizes
from jaxvision.data.plans.plan import Plan
from jaxvision.data.readers.omniglot import WhiteOnBlack, omniglot
from jaxvision.data.source import Source, Transform
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.glyphs import Glyphs
from jaxvision.data.sources.turned import Turned
from jaxvision.data.stream import Stream
from jaxvision.ops import ranges
from jaxvision.recipes import image_splits, values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.few_shot import FewShot
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = (*values.FREE, "batch_size", "eval.episodes", "data.on_fault", "data.timeout")
SOURCES = ("glyphs", "omniglot")
# An evaluation's episode is whole on each device.
_WHOLE = {"image": None, "label": None, "index": None}


def defaults() -> Config:
    """Returns all values, locked; those of prototypical networks on drawn characters."""
    config = values.common()
    config.variant = "conv4"
    config.image_size = 28
    config.batch_size = 1  # episodes of a step

    config.data.source = "glyphs"  # drawn; or omniglot
    config.data.train = ""  # alphabets, comma-separated; empty: all but those of val and test
    config.data.val = "val"  # alphabets of omniglot
    config.data.on_fault = "error"  # drop: go on without unreadable images
    config.data.timeout = 0.0  # seconds after which an image counts as unreadable; 0: waits
    # Drawn characters of each split, for glyphs.
    config.data.train_characters = 100
    config.data.val_characters = 40

    config.augment = ConfigDict()
    config.augment.turn = True  # characters turned by quarters are further classes of training

    config.episode = ConfigDict()
    config.episode.way = 20
    config.episode.shot = 1
    config.episode.query = 5
    config.episode.steps = 100  # of an epoch

    config.loss = ConfigDict()
    config.loss.name = "prototypical"  # a name of jaxvision.tasks.few_shot.LOSSES
    config.loss.margin = 0.2  # of triplets and contrastive

    # Episodes that are evaluated: the first way with the first shot, and so on.
    config.eval.way = (5, 5, 20)
    config.eval.shot = (1, 5, 1)
    config.eval.query = 5
    config.eval.episodes = 600
    return values.locked(config)


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what a run remembers of the data: `train_images` and `train_classes`, numbers."""
    del config
    return dict(train_images=len(train), train_classes=len(train.classes))


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> FewShot:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    del info
    return FewShot(
        model=wiring.network(models.embedding, config, dtype=compute_dtype(config.dtype)),
        loss_name=config.loss.name,
        episode=_episode(config),
        evaluated=tuple(_evaluated(config).values()),
        margin=config.loss.margin,
    )


def _episode(config: Config) -> Episode:
    return Episode(config.episode.way, config.episode.shot, config.episode.query)


def _evaluated(config: Config) -> dict[str, Episode]:
    """Returns the evaluated episodes by their names, as `5way_1shot`."""
    ways, shots = tuple(config.eval.way), tuple(config.eval.shot)
    if len(ways) != len(shots) or not ways:
        raise ValueError(f"eval.way and eval.shot must be of one length, got {ways} and {shots}")
    sizes = (Episode(way, shot, config.eval.query) for way, shot in zip(ways, shots, strict=True))
    return {size.name: size for size in sizes}


def eval_transform(config: Config) -> Transform:
    """Returns what an image goes through before the network sees it, as those of the run's source.

    Raises:
        ValueError: If a value is out of its range.
    """
    ranges.check(config, "[8, 4_096]", "image_size")
    if config.data.source == "omniglot":
        return WhiteOnBlack(config.image_size)
    return CenterCrop((config.image_size, config.image_size), config.image_size)


def open_split(config: Config, split: str) -> Source:
    """Opens the characters of `train`, `val` or `test`.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If a value is out of its range.
    """
    data = config.data
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be train, val or test, got {split}")
    if data.source not in SOURCES:
        raise ValueError(f"data.source must be one of {', '.join(SOURCES)}, got {data.source}")
    ranges.check(config, "[8, 4_096]", "image_size")
    if split == "test" and not data.test:
        raise ValueError("data.test must name a split to evaluate it, and it is empty")
    if data.source == "glyphs":
        check_no_path(data.source, data.path)
        count = data.train_characters if split == "train" else data.val_characters
        name = data[split] or split
        source: Source = Glyphs(count, image_size=config.image_size, split=name)
    else:
        named = _words(data[split])
        held_out = () if split != "train" or named else _words(data.val) + _words(data.test)
        source = omniglot(data.path, named, without=held_out, side=config.image_size)
    return Turned(source) if split == "train" and config.augment.turn else source


def _words(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens the episodes of one split, of all evaluated sizes.

    Args:
        config: The values.
        info: What `info` returned for the training data.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split.
    """
    del info
    sizes = tuple(_evaluated(config).values())
    return _eval_stream(config, open_split(config, split), *sizes)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    train, val = open_split(config, "train"), open_split(config, "val")
    new_run = info is None
    info = _info(config, train) if info is None else info
    image_splits.check_length(info, train)
    print(train.describe(), val.describe(), sep="\n")

    # Every episode of an epoch is drawn at its start.
    ranges.check(config, "[1, 10_000]", "batch_size", "episode.steps")
    episodes = _episodes(train, _episode(config), config.episode.steps, config.batch_size)
    train_data = _stream(config, train, episodes, seed=config.seed)
    sizes = _evaluated(config)
    eval_sets = {
        f"val/{name}": EvalSet(_eval_stream(config, val, size)) for name, size in sizes.items()
    }
    if config.data.test:
        test = open_split(config, "test")
        eval_sets |= {
            f"test/{name}": EvalSet(_eval_stream(config, test, size), at_end=True)
            for name, size in sizes.items()
        }

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=task(config, info),
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best(f"val/{next(iter(sizes))}/accuracy"),
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _eval_stream(config: Config, source: Source, *sizes: Episode) -> Stream:
    ranges.check(config, "[1, 100_000]", "eval.episodes")
    plans = [_episodes(source, size, config.eval.episodes, 1) for size in sizes]
    return _stream(config, source, EpisodesOfSizes(plans), axes=_WHOLE)


def _episodes(source: Source, size: Episode, batches: int, batch_size: int) -> Episodes:
    if source.labels is None:
        raise ValueError("images must have one class each")
    return Episodes(source.labels, size, batches, batch_size)


def _stream(config: Config, source: Source, plan: Plan, **options: Any) -> Stream:
    size = (config.image_size, config.image_size)
    return Stream(
        plan,
        classification_eval_example(source, size),
        name=source.name,
        digest=source.digest,
        **options,
        **image_splits.reading(config),
    )
