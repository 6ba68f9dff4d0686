"""Super-resolution by a diffusion model, as SR3."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.models.generative.ddpm_unet import ddpm_unet
from jaxvision.ops.diffusion import Diffusion
from jaxvision.recipes import diffusion, super_resolution, values, wiring
from jaxvision.recipes.super_resolution import eval_data, eval_transform, info
from jaxvision.recipes.values import Config
from jaxvision.tasks.diffusion_super_resolution import DiffusionSuperResolution
from jaxvision.train.experiment import Experiment
from jaxvision.train.precision import compute_dtype

__all__ = ["FREE", "defaults", "eval_data", "eval_transform", "experiment", "info", "task"]

# What a continued run may change.
FREE = (*super_resolution.FREE, "sample.sampler", "sample.steps", "sample.eta")


def defaults() -> Config:
    """Returns all values, locked; those of a small network on drawn pictures."""
    config = super_resolution.defaults()
    like = diffusion.defaults()
    with config.unlocked():
        config.update(variant="ddpm_small", scale=4, image_size=64, batch_size=16)
        config.process = ConfigDict(like.process.to_dict())
        config.sample = ConfigDict(like.sample.to_dict())
        del config.sample["guidance"]
    return values.locked(config)


def task(config: Config, info: Mapping[str, Any]) -> DiffusionSuperResolution:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    del info
    model: Any = wiring.network(ddpm_unet, config, channels=3, dtype=compute_dtype(config.dtype))
    return DiffusionSuperResolution(
        model=model,
        scale=config.scale,
        name=config.loss.name,
        border=config.eval.border,
        process=Diffusion(**wiring.keywords(config.process)),
        sampler=config.sample.sampler,
        sample_steps=config.sample.steps,
        eta=config.sample.eta,
    )


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    return super_resolution.assembled(config, info, task, __name__)
