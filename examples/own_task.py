"""A task of your own: how many objects does a picture show?

    python examples/own_task.py --workdir=runs/counting

A task is four pure methods; the loop knows nothing else. It adds checkpoints, exact continuation,
several devices, logs and the progress line.
"""

import argparse
import dataclasses
import pathlib

import flax
import jax.numpy as jnp
import numpy as np
import optax
from clu import metrics
from flax import linen as nn

from jaxvision import models
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.sources.shapes import Shapes
from jaxvision.data.stream import Stream
from jaxvision.tasks.task import Loss
from jaxvision.train import loop
from jaxvision.train.experiment import Best, EvalSet, Experiment


@flax.struct.dataclass
class MeanError(metrics.Average):
    """Mean error in objects; `compute` names the values of a metric."""

    def compute(self):
        """Returns the metric's values by name."""
        return {"error": float(super().compute())}


@dataclasses.dataclass(frozen=True)
class Counting:
    """Estimates a number for each image of a batch {image [B, H, W, 3] uint8, count [B]}."""

    model: nn.Module = models.classifier("resnet20_cifar", num_classes=1)

    def init(self, key, batch):
        """Returns parameters, and every other collection of the network."""
        state = dict(self.model.init(key, batch["image"][:1] / 255, train=False))
        return state.pop("params"), state

    def loss(self, params, state, batch, *, step, key):
        """Computes what is minimised, the new state, and what is logged."""
        variables, images = {"params": params, **state}, batch["image"] / 255
        output, state = self.model.apply(variables, images, train=True, mutable=list(state))
        error = jnp.abs(output[:, 0] - batch["count"])
        return Loss(error.mean(), state, {"exact": (error < 0.5).mean()})

    def predict(self, params, state, batch, *, key):
        """Returns the estimated numbers [B]."""
        images = batch["image"] / 255
        return self.model.apply({"params": params, **state}, images, train=False)[:, 0]

    def measure(self, predictions, batch):
        """Compares them with the truth, on the host; rows that fill up a batch have no mask."""
        error = np.abs(predictions - batch["count"])
        return MeanError.from_model_output(error, mask=batch["mask"])


def stream(split, plan, pictures, image_size):
    """Batches of drawn pictures and how many objects they show."""
    source = Shapes(pictures, image_size=image_size, split=split)

    def example(index, rng):
        sample = source[index]
        count = np.float32(len(sample.objects))
        return {"image": sample.image, "count": count, "index": np.int32(index)}

    return Stream(plan, example, digest=source.digest)


def experiment(steps=300, batch_size=32, image_size=48, pictures=2000):
    """Wires the run: task, data, optimizer, length."""
    rate = optax.cosine_decay_schedule(2e-3, steps)
    plan = Shuffled(pictures, batch_size)
    held_out = InOrder(pictures // 10, batch_size)
    return Experiment(
        task=Counting(),
        train_data=stream("train", plan, pictures, image_size),
        eval_data={"val": EvalSet(stream("val", held_out, pictures // 10, image_size))},
        optimizer=optax.adamw(rate),
        learning_rate=rate,
        total_steps=steps,
        eval_every=100,
        best=Best("val/error", "min"),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/counting"))
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    loop.run(experiment(options.steps), options.workdir.absolute())
