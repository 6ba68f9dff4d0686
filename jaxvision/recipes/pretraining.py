"""Layers learned without labels before a classifier is trained: a deep belief network's."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.classification_examples import classification_eval_example
from jaxvision.data.source import Source
from jaxvision.models.backbones import mlp
from jaxvision.models.history import dbn
from jaxvision.ops import ranges
from jaxvision.recipes import wiring
from jaxvision.recipes.values import Config
from jaxvision.train.experiment import InitFrom

# Images that are held in memory as float32, at most.
_MOST = 100_000


def pretraining(
    config: Config, source: Source, network: Any, resize: int | None
) -> tuple[InitFrom, ...]:
    """Returns what a new run starts from as the group `pretrain` says; () for 0 steps.

    Args:
        config: The values.
        source: The training images.
        network: The classifier, whose backbone is an `MLP` of sigmoids.
        resize: As of the evaluation's examples.

    Raises:
        ValueError: If a value is out of its range, or the network or its input is another.
    """
    values = config.pretrain
    ranges.check(config, "[0, 1_000_000]", "pretrain.steps")
    ranges.check(config, "[1, 1_000]", "pretrain.gibbs_steps")
    ranges.check(config, "(0, inf)", "pretrain.learning_rate")
    ranges.check(config, "[0, 1)", "pretrain.momentum")
    if not values.steps:
        return ()
    layers = getattr(network, "backbone", None)
    if not isinstance(layers, mlp.MLP) or layers.act != "sigmoid":
        raise ValueError(f"pretrain.steps is for mlp_sigmoid, set it to 0 for {config.variant}")
    if tuple(config.mean) != (0.0,) or tuple(config.std) != (1.0,):
        raise ValueError(
            "pretrain.steps needs grey images in [0, 1], as the units of the first machine are: "
            f"mean (0,) and std (1,), got {tuple(config.mean)} and {tuple(config.std)}"
        )
    read = _reader(config, source, resize)
    options = wiring.keywords(values, "steps")

    def learned() -> Mapping[str, Any]:
        key = jax.random.key(config.seed)
        machines = dbn.pretrain(key, read(), layers.widths, steps=values.steps, **options)
        found = {
            f"layer{i}": {"kernel": machine.weights, "bias": machine.hidden_bias}
            for i, machine in enumerate(machines, start=1)
        }
        return {"params": {"backbone": jax.device_get(found)}}

    label = f"{len(layers.widths)} restricted Boltzmann machines of {values.steps:,} steps each"
    return (InitFrom(learned, there="backbone", here="backbone", label=label),)


def _reader(config: Config, source: Source, resize: int | None) -> Callable[[], jax.Array]:
    size = (config.image_size, config.image_size)
    example = classification_eval_example(source, size, resize=resize)

    def read() -> jax.Array:
        count = min(len(source), _MOST)
        images = np.stack([example(i)["image"] for i in range(count)])
        grey = images.astype(np.float32).mean(axis=-1) / 255
        return jnp.asarray(grey.reshape(count, -1))

    return read
