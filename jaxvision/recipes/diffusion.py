"""Diffusion models: images from noise, with or without a class."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.data.stream import Stream
from jaxvision.models.generative.ddpm_unet import ddpm_unet
from jaxvision.ops.diffusion import Diffusion
from jaxvision.plots.samples import generation_report
from jaxvision.recipes import generation, image_splits, values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.diffusion import ImageDiffusion
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = (
    *generation.FREE,
    "batch_size",
    "sample.sampler",
    "sample.steps",
    "sample.eta",
    "sample.guidance",
)

info = generation.info
_info = info  # `experiment` has an argument of that name


def defaults() -> Config:
    """Returns all values, locked; those of a small network on drawn digits."""
    config = generation.defaults()
    config.variant = "ddpm_small"
    config.conditional = True  # whether the network is given the class
    config.drop_label = 0.1  # probability of training an image without its class

    config.process = ConfigDict()
    config.process.steps = 1000
    config.process.schedule = "linear"  # or cosine
    config.process.prediction = "noise"  # or image, velocity
    config.process.variance = "large"  # or small, of the ancestral sampler
    config.process.clip = True  # predicted images to [-1, 1]

    config.sample = ConfigDict()
    config.sample.sampler = "ddim"  # or ancestral, which takes all steps
    config.sample.steps = 50  # of ddim
    config.sample.eta = 0.0  # fresh noise of ddim, 0 to 1
    config.sample.guidance = 1.0  # 1: none; above: samples that are more typical of their class
    return values.locked(config)


def task(config: Config, info: Mapping[str, Any]) -> ImageDiffusion:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    names = tuple(info["class_names"]) if config.conditional else ()
    model = wiring.network(
        ddpm_unet,
        config,
        channels=config.channels,
        num_classes=len(names) or None,
        dtype=compute_dtype(config.dtype),
    )
    return ImageDiffusion(
        model=model,
        process=Diffusion(**wiring.keywords(config.process)),
        image_size=image_splits.image_size(config),
        class_names=names,
        drop_label=config.drop_label,
        sampler=config.sample.sampler,
        sample_steps=config.sample.steps,
        eta=config.sample.eta,
        guidance=config.sample.guidance,
    )


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation; see `jaxvision.recipes.generation.eval_data`."""
    return generation.eval_data(config, info, split)


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    train, val = generation.open_splits(config, info, "train", "val")
    new_run = info is None
    info = _info(config, train) if info is None else info

    train_data = generation.train_stream(config, train)
    eval_sets = {
        "val": EvalSet(generation.eval_stream(config, val)),
        "samples": EvalSet(generation.request_stream(config, info)),
    }
    if config.data.test:
        eval_sets["test"] = EvalSet(eval_data(config, info, "test"), at_end=True)

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=task(config, info),
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best("val/noise_loss", "min"),
        report=generation_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )
