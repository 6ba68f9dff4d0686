"""The whitening of a classifier's images, which a run takes from its training images."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxvision.data.classification_examples import classification_eval_example
from jaxvision.data.source import Source
from jaxvision.data.whitening import zca
from jaxvision.ops import ranges
from jaxvision.recipes.values import Config
from jaxvision.tasks.classification import WHITENING, ZCA, ImageClassification
from jaxvision.train.experiment import InitFrom

# Images that it is computed from, at most, and that are held at a time.
_MOST, _BATCH = 20_000, 256


def whitening(
    config: Config, source: Source, task: ImageClassification, resize: int | None
) -> tuple[InitFrom, ...]:
    """Returns what a new run with `normalise=zca` starts from; () for others.

    Args:
        config: The values.
        source: The training images.
        task: Of the run, which says what comes before the whitening.
        resize: As of the evaluation's examples.

    Raises:
        ValueError: If a value is out of its range.
    """
    ranges.check(config, "(0, inf)", "zca_epsilon")
    if config.normalise != ZCA:
        return ()
    size = (config.image_size, config.image_size)
    example = classification_eval_example(source, size, resize=resize)
    chosen = np.linspace(0, len(source) - 1, min(len(source), _MOST)).astype(int).tolist()

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(chosen), _BATCH):
            images = [example(i)["image"] for i in chosen[start : start + _BATCH]]
            yield np.asarray(task.contrasted(jnp.asarray(np.stack(images))))

    def found() -> Mapping[str, Any]:
        own = zca(batches(), config.zca_epsilon)
        return {WHITENING: {ZCA: own._asdict()}}

    label = f"the whitening of {len(chosen):,} training images"
    return (InitFrom(found, there=ZCA, here=ZCA, label=label),)
