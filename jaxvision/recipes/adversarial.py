"""Generative adversarial networks: two players that take turns."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.data.stream import Stream
from jaxvision.models.generative.catalogue import discriminator, generator
from jaxvision.ops import ranges
from jaxvision.plots.samples import generation_report
from jaxvision.recipes import generation, image_splits, turns, values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.adversarial import AdversarialGeneration
from jaxvision.train.experiment import EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = (*generation.FREE, "batch_size")

info = generation.info
_info = info  # `experiment` has an argument of that name


def defaults() -> Config:
    """Returns all values, locked; those of a small DCGAN on drawn digits."""
    config = generation.defaults()
    config.variant = "dcgan_generator_small"
    config.latent = 100  # numbers that an image is made from
    config.noise = "normal"  # or uniform

    config.loss = ConfigDict()
    config.loss.name = "non_saturating"  # a name of jaxvision.losses.adversarial.LOSSES

    config.discriminator = ConfigDict()
    config.discriminator.variant = "dcgan_discriminator_small"
    config.discriminator.steps = 1  # for each step of the generator
    config.discriminator.learning_rate = 0.0  # 0: that of the generator
    return values.locked(config)


def task(config: Config, info: Mapping[str, Any]) -> AdversarialGeneration:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    del info
    ranges.check(config, "[1, 1_000_000]", "latent")
    height, width = image_splits.image_size(config)
    if height != width:
        raise ValueError(f"image_size must be a square for these networks, got {height} x {width}")
    dtype = compute_dtype(config.dtype)
    shared: dict[str, Any] = dict(size=height, dtype=dtype)
    own = dict(channels=config.channels, latent=config.latent)
    return AdversarialGeneration(
        model=wiring.network(generator, config, **shared, **own),
        discriminator=discriminator(config.discriminator.variant, **shared),
        loss_name=config.loss.name,
        discriminator_steps=config.discriminator.steps,
        noise=config.noise,
    )


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Returns a batch that asks for images; the network is not measured on those of a split.

    Args:
        config: The values.
        info: What `info` returned for the training data.
        split: `train`, `val` or `test`.
    """
    del split
    return generation.request_stream(config, info)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    (train,) = generation.open_splits(config, info, "train")
    new_run = info is None
    info = _info(config, train) if info is None else info

    train_data = generation.train_stream(config, train)
    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    problem = task(config, info)
    return Experiment(
        task=problem,
        train_data=train_data,
        eval_data={"samples": EvalSet(generation.request_stream(config, info))},
        optimizer=turns.optimizers(config, problem, rate, scale=_scale(config)),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, part="generator", now=new_run),
        report=generation_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _scale(config: Config) -> float:
    """Returns the discriminator's learning rate as a multiple of the generator's."""
    own = config.discriminator.learning_rate
    ranges.check(config, "[0, inf)", "discriminator.learning_rate")
    if own and not config.optimizer.learning_rate:
        raise ValueError(
            "optimizer.learning_rate must be above 0 where discriminator.learning_rate is, got 0"
        )
    return own / config.optimizer.learning_rate if own else 1.0
