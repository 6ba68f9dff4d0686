"""A problem of a few numbers: it shows that the loop knows nothing of images or boxes."""

import dataclasses

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from clu import metrics

from jaxvision.data.pipeline import EvalStream, TrainStream
from jaxvision.tasks.task import Loss
from jaxvision.train.ema import constant_decay
from jaxvision.train.experiment import Experiment

TRUE = np.float32([1.0, -2.0, 3.0])


@flax.struct.dataclass
class NegativeError(metrics.Average):
    def compute(self):
        return {"score": -float(super().compute())}


@dataclasses.dataclass(frozen=True)
class LinearTask:
    noise: float = 0.1

    def init(self, key, batch):
        params = {"kernel": jax.random.normal(key, batch["x"].shape[1:])}
        return params, {"seen": {"count": jnp.zeros(())}}

    def loss(self, params, state, batch, *, step, key):
        noise = self.noise * jax.random.normal(key, batch["y"].shape)
        error = batch["x"] @ params["kernel"] - batch["y"] + noise
        state = {"seen": {"count": state["seen"]["count"] + len(error)}}
        value = jnp.square(error).mean()
        return Loss(value, state, {"late": jnp.where(step >= 5, value, 0.0)})

    def predict(self, params, state, batch):
        return batch["x"] @ params["kernel"]

    def measure(self, predictions, batch):
        error = np.square(predictions - batch["y"])
        return NegativeError.from_model_output(error, mask=batch["mask"])


def sample(index, rng=None):
    own = np.random.default_rng(index)
    x = own.normal(size=3).astype(np.float32)
    y = np.float32(x @ TRUE)
    if rng is not None:
        x = x + rng.normal(0, 0.01, 3).astype(np.float32)
    return {"x": x, "y": y, "index": np.int32(index)}


def experiment(*, total_steps=20, batch_size=8, num_workers=0, task=None, **changes):
    schedule = optax.cosine_decay_schedule(0.1, 20)
    fields = dict(
        task=task or LinearTask(),
        train_data=TrainStream(sample, 40, batch_size=batch_size, seed=1, num_workers=num_workers),
        eval_data=EvalStream(sample, 11, batch_size=batch_size, num_workers=0),
        optimizer=optax.sgd(schedule, momentum=0.5),
        learning_rate=schedule,
        total_steps=total_steps,
        seed=3,
        ema=constant_decay(0.5),
        log_every=1,
        eval_every=10,
        save_every=4,
        best="score",
        image_name=lambda i: f"number {i}",
    )
    return Experiment(**(fields | changes))
