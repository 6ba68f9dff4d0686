"""Super-resolution against a discriminator, as SRGAN and ESRGAN."""

import functools
from collections.abc import Mapping
from typing import Any

from jaxvision import models, pretrained
from jaxvision.data.super_resolution import Joined
from jaxvision.losses.perceptual import Perceptual
from jaxvision.plots.super_resolution import super_resolution_report
from jaxvision.recipes import super_resolution, turns, values, wiring
from jaxvision.recipes.super_resolution import (
    FREE,
    eval_data,
    eval_stream,
    eval_transform,
    info,
    network,
    sets,
    train_stream,
)
from jaxvision.recipes.values import Config
from jaxvision.recipes.weights import read_weights
from jaxvision.tasks.adversarial_super_resolution import (
    GENERATOR,
    VGG,
    AdversarialSuperResolution,
)
from jaxvision.train.experiment import EvalSet, Experiment, InitFrom
from jaxvision.train.precision import compute_dtype

__all__ = ["FREE", "defaults", "eval_data", "eval_transform", "experiment", "info", "task"]


def defaults() -> Config:
    """Returns all values, locked; those of a small SRGAN without a perceptual loss."""
    config = super_resolution.defaults()
    with config.unlocked():
        config.variant = "srresnet_small_x4"
        config.scale = 4
        config.image_size = 64
        config.batch_size = 16
        config.discriminator = "srgan_discriminator_small"
        config.loss.pixel_weight = 1.0
        config.loss.adversarial = "non_saturating"  # or relativistic_average, least_squares, ...
        config.loss.adversarial_weight = 1e-3
        config.loss.discriminator_steps = 1  # updates of the discriminator for one of the generator
        # File with torchvision's weights of VGG19, for the perceptual loss; empty: none.
        config.loss.vgg = ""
        config.loss.perceptual_weight = 1.0
        config.loss.perceptual_layer = "conv5_4"  # or conv2_2
        config.loss.perceptual_name = "l2"  # or l1
        config.loss.perceptual_scale = 1 / 12.75  # factor of the features
        config.loss.perceptual_activated = True  # features after the ReLU
    return values.locked(config)


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> AdversarialSuperResolution:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    del info
    loss, perceptual = config.loss, _perceptual(config)  # whose values are checked in any case
    return AdversarialSuperResolution(
        model=network(config),
        scale=config.scale,
        name=loss.name,
        border=config.eval.border,
        discriminator=models.super_resolution(  # pyright: ignore[reportArgumentType]
            config.discriminator, dtype=compute_dtype(config.dtype)
        ),
        adversarial=loss.adversarial,
        adversarial_weight=loss.adversarial_weight,
        pixel_weight=loss.pixel_weight,
        perceptual=perceptual if loss.vgg else None,
        perceptual_weight=loss.perceptual_weight,
        discriminator_steps=loss.discriminator_steps,
    )


def _perceptual(config: Config) -> Perceptual:
    loss = config.loss
    return Perceptual(
        loss.perceptual_layer,
        loss.perceptual_activated,
        loss.perceptual_name,
        loss.perceptual_scale,
    )


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    found = sets(config)
    new_run = info is None
    info = _info(config, found.train) if info is None else info
    own = task(config, info)
    print(found.train.describe(), Joined(found.evaluated).describe(), sep="\n")

    train_data = train_stream(config, found.train, super_resolution.interpolated(own.model))
    eval_sets = {"val": EvalSet(eval_stream(config, found.evaluated))}

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=own,
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=turns.optimizers(config, own, rate),
        learning_rate=rate,
        constants={VGG: _vgg(config)} if own.perceptual else {},
        init_from=_init_from(config, now=new_run),
        report=super_resolution_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _vgg(config: Config) -> dict[str, Any]:
    """Reads the variables of VGG19 up to the layer of the perceptual loss."""
    _, variables = pretrained.load("vgg19", config.loss.vgg)
    backbone = variables["params"]["backbone"]
    kept = Perceptual(config.loss.perceptual_layer).layers()
    return {"params": {name: backbone[name] for name in kept}}


def _init_from(config: Config, *, now: bool) -> tuple[InitFrom, ...]:
    """Starts the generator from `weights`: a file, a run of it, or a run of both players."""
    if not config.weights:
        return ()
    read = functools.partial(read_weights, config.weights, config.variant)
    variables = read() if now else read
    both = now and GENERATOR in variables["params"]  # pyright: ignore[reportIndexIssue]
    label = f"the weights {config.weights}"
    there = GENERATOR if both else ""
    return (InitFrom(variables, there=there, here=GENERATOR, label=label),)
