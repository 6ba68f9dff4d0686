"""Zero-shot super-resolution: a network for each picture, trained on that picture alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxvision.data.degradation import Degradation
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.source import Source
from jaxvision.data.sources.cached import cached
from jaxvision.data.sources.pictures import Degraded, Given
from jaxvision.data.stream import Stream
from jaxvision.data.super_resolution import Joined, evaluation_sets, open_pictures
from jaxvision.data.zero_shot import ZeroShotExample, largest_patch
from jaxvision.ops import ranges
from jaxvision.plots.super_resolution import super_resolution_report
from jaxvision.recipes import super_resolution, values, wiring
from jaxvision.recipes.super_resolution import (
    WHOLE,
    best_name,
    check_pictures,
    degradation,
    eval_stream,
    eval_transform,
    network,
)
from jaxvision.recipes.values import Config
from jaxvision.tasks.zero_shot import ZeroShot
from jaxvision.train.experiment import Best, EvalSet, Experiment

__all__ = ["FREE", "defaults", "eval_data", "eval_transform", "experiment", "info", "task"]

# What a continued run may change.
FREE = (*values.FREE, "data.cache_bytes")


def defaults() -> Config:
    """Returns all values, locked; those of a small network and one drawn picture."""
    config = super_resolution.defaults()
    with config.unlocked():
        config.update(variant="zssr_small", scale=2, image_size=64)
        config.batch_size = 0  # a patch of every picture, whatever the number of devices
        config.loss.name = "l1"
        config.augment.scale = (0.6, 1.0)  # factor by which a picture is made smaller first
        config.eval.back_projection = 10
        config.eval.ensemble = True  # the median of eight mirrored and turned pictures
        config.data.val_images = 1
        del config.augment["turn"], config.data["patches"], config.data["train_images"]
        del config.data["val_share"], config.data["decoded"]
    return values.locked(config)


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what the task must know of the data: `pictures`, their number, and their names."""
    del config
    return dict(pictures=len(train), names=[train.name(i) for i in range(len(train))])


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> ZeroShot:
    """Builds the task; opens no file but that of a kernel.

    Args:
        config: The values.
        info: What `info` returned for the pictures.

    Raises:
        ValueError: If a value is out of its range.
    """
    return ZeroShot(
        model=network(config),
        scale=config.scale,
        name=config.loss.name,
        border=config.eval.border,
        pictures=info["pictures"],
        degradation=degradation(config),
        back_projection=config.eval.back_projection,
        ensemble=config.eval.ensemble,
    )


def sets(config: Config) -> dict[str, Source]:
    """Opens the pictures, each of which gets a network, by the names of their sets.

    Raises:
        ValueError: If a value is out of its range.
    """
    data = config.data
    check_pictures(config)
    options = dict(scale=config.scale, low=data.low)
    found = evaluation_sets(data.eval, **options)
    if found:
        return found
    drawn = dict(length=data.val_images, size=data.drawn_size, seed=data.split_seed)
    return {"": open_pictures(data.path, data.val, **(options if data.path else drawn))}


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens the pictures for evaluation, which are those that were trained on.

    Args:
        config: The values.
        info: What `info` returned.
        split: `val`.

    Raises:
        ValueError: If there is no such split, or the pictures are others than those trained on.
    """
    if split != "val":
        raise ValueError(f"split must be val, the pictures that have networks, got {split}")
    found = Joined(sets(config))
    if len(found) != info["pictures"]:
        raise ValueError(
            f"the run has networks for {info['pictures']} pictures, got {len(found)}; a network "
            "knows its own picture alone, so train another run"
        )
    return eval_stream(config, found.sets)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values; `epochs` counts steps, each of which shows every network a patch.
        info: That of the run which is continued; by default it is computed from the pictures.

    Raises:
        ValueError: If a value is out of its range.
    """
    found = Joined(sets(config))
    info = _info(config, found) if info is None else info
    own = task(config, info)
    print(found.describe())

    pairs = Degraded(found, own.degradation)
    train_data = _stream(config, cached(pairs, config.data.cache_bytes), own.degradation)
    rate = wiring.learning_rate(config, epoch=1)
    return Experiment(
        task=own,
        train_data=train_data,
        eval_data={"val": EvalSet(eval_stream(config, found.sets))},
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        best=Best(best_name(found.sets)),
        report=super_resolution_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, 1),
    )


def for_pictures(config: Config, pictures: Sequence[np.ndarray]) -> Experiment:
    """Wires the training of networks for pictures whose larger versions nobody knows.

    Args:
        config: The values.
        pictures: RGB [H, W, 3] uint8.
    """
    pairs = Given(pictures)
    own = task(config, dict(pictures=len(pictures)))
    rate = wiring.learning_rate(config, epoch=1)
    return Experiment(
        task=own,
        train_data=_stream(config, pairs, own.degradation),
        eval_data={},
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        **wiring.run_options(config, 1),
    )


def _stream(config: Config, pairs: Source, how: Degradation) -> Stream:
    ranges.check(config, "[0, inf)", "batch_size")
    side = largest_patch(pairs, config.scale, config.image_size)
    # A config holds a list, perhaps of another length.
    scale: Any = tuple(config.augment.scale)
    return Stream(
        Shuffled(len(pairs), len(pairs)),
        ZeroShotExample(pairs, how, side, scale),
        seed=config.seed,
        num_workers=config.num_workers,
        prefetch=config.data.prefetch,
        name=pairs.name,
        digest=pairs.digest,
        axes=WHOLE,  # as many rows as pictures, which devices need not be able to share
    )
