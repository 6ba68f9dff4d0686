"""Problems of a few numbers: they show that the loop knows nothing of images or boxes."""

import dataclasses
import json

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from clu import metrics
from flax import linen as nn

from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream
from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.tasks.task import Loss
from jaxvision.train.ema import constant_decay
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.players import players

TRUE = np.float32([1.0, -2.0, 3.0])


@flax.struct.dataclass
class NegativeError(metrics.Average):
    def compute(self):
        return {"score": -float(super().compute())}


@dataclasses.dataclass(frozen=True)
class LinearTask:
    """Learns the scalar product with `TRUE`."""

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

    def predict(self, params, state, batch, *, key):
        return batch["x"] @ params["kernel"]

    def measure(self, predictions, batch):
        error = np.square(predictions - batch["y"])
        return NegativeError.from_model_output(error, mask=batch["mask"])


@dataclasses.dataclass(frozen=True)
class WorseAtEveryEvaluation(LinearTask):
    """Gets better until step 6 and worse from then on."""

    def loss(self, params, state, batch, *, step, key):
        loss = super().loss(params, state, batch, step=step, key=key)
        return loss._replace(value=jnp.where(step >= 6, -3.0, 1.0) * loss.value)


@dataclasses.dataclass(frozen=True)
class Taught(LinearTask):
    """Learns what a teacher, a constant, says in place of the label."""

    def loss(self, params, state, batch, *, step, key):
        batch = {**batch, "y": batch["x"] @ batch["teacher"]["kernel"]}
        return super().loss(params, state, batch, step=step, key=key)


def generator_turn(step):
    return step % 3 == 2


def discriminator_turn(step):
    return step % 3 != 2


@dataclasses.dataclass(frozen=True)
class TwoPlayers(LinearTask):
    """One player moves two steps, the other the third; each knows the other's parameters."""

    def init(self, key, batch):
        one, two = jax.random.split(key)
        params = {
            "generator": {"kernel": jax.random.normal(one, (3,))},
            "discriminator": {"kernel": jax.random.normal(two, (3,))},
        }
        return params, {"seen": {"generator": jnp.zeros(()), "discriminator": jnp.zeros(())}}

    def loss(self, params, state, batch, *, step, key):
        def value(mover, other):
            kernel = params[mover]["kernel"] + jax.lax.stop_gradient(params[other]["kernel"])
            seen = {**state["seen"], mover: state["seen"][mover] + 1.0}
            return jnp.square(batch["x"] @ kernel - batch["y"]).mean(), {"seen": seen}

        found, state = jax.lax.cond(
            generator_turn(step),
            lambda: value("generator", "discriminator"),
            lambda: value("discriminator", "generator"),
        )
        return Loss(found, state, {})

    def predict(self, params, state, batch, *, key):
        return batch["x"] @ (params["generator"]["kernel"] + params["discriminator"]["kernel"])


def two_player_optimizer():
    return players(
        {
            "generator": (optax.adam(0.1), generator_turn),
            "discriminator": (optax.adam(0.05), discriminator_turn),
        }
    )


@dataclasses.dataclass(frozen=True)
class Carried(LinearTask):
    """Each row goes on where it ended in the batch before, as a language model's."""

    def init(self, key, batch):
        carry = {"sum": jnp.zeros(batch["x"].shape)}
        return {"kernel": jax.random.normal(key, (3,))}, {"carry": carry}

    def loss(self, params, state, batch, *, step, key):
        total = state["carry"]["sum"] + batch["x"]
        value = jnp.square(total @ params["kernel"] - batch["y"]).mean()
        return Loss(value, {"carry": {"sum": total}}, {})

    def predict(self, params, state, batch, *, key):
        assert "carry" not in state  # a row is a whole lane, from zeros
        return batch["x"] @ params["kernel"]


@dataclasses.dataclass(frozen=True)
class GraphTask(LinearTask):
    """Labels of N nodes from those of their neighbours: no array has an axis of examples."""

    def init(self, key, batch):
        return {"kernel": jax.random.normal(key, batch["nodes"].shape[1:])}, {}

    def loss(self, params, state, batch, *, step, key):
        error = self.predict(params, state, batch, key=key) - batch["labels"]
        return Loss(jnp.square(error).mean(), {}, {})

    def predict(self, params, state, batch, *, key):
        return batch["adjacency"] @ (batch["nodes"] @ params["kernel"])

    def measure(self, predictions, batch):
        return NegativeError.from_model_output(np.square(predictions - batch["labels"]))


class Part(nn.Module):
    """A layer with normalisation."""

    @nn.compact
    def __call__(self, x, train):
        return BatchNorm(name="norm")(nn.Dense(4, name="dense")(x), train=train)


class Network(nn.Module):
    """Two parts; their activations are computed anew for the gradient if `remat`."""

    remat: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        part = nn.remat(Part, static_argnums=(2,)) if self.remat else Part
        for name in ("backbone", "head"):
            x = part(name=name)(x, train)
        return x.sum(axis=-1)


@dataclasses.dataclass(frozen=True)
class NormedTask(LinearTask):
    """A network with batch statistics, as a part of the parameters if `prefix`."""

    network: Network = Network()
    prefix: str = ""

    def _wrap(self, tree):
        return {self.prefix: tree} if self.prefix else tree

    def _unwrap(self, tree):
        return tree[self.prefix] if self.prefix else tree

    def init(self, key, batch):
        variables = self.network.init(key, batch["x"], train=True)
        stats = self._wrap(variables["batch_stats"])
        return self._wrap(variables["params"]), {"batch_stats": stats}

    def loss(self, params, state, batch, *, step, key):
        variables = {
            "params": self._unwrap(params),
            "batch_stats": self._unwrap(state["batch_stats"]),
        }
        output, new = self.network.apply(variables, batch["x"], train=True, mutable=["batch_stats"])
        state = {"batch_stats": self._wrap(new["batch_stats"])}
        return Loss(jnp.square(output - batch["y"]).mean(), state, {})

    def predict(self, params, state, batch, *, key):
        variables = {
            "params": self._unwrap(params),
            "batch_stats": self._unwrap(state["batch_stats"]),
        }
        return self.network.apply(variables, batch["x"], train=False)


def sample(index, rng=None):
    own = np.random.default_rng(index)
    x = own.normal(size=3).astype(np.float32)
    y = np.float32(x @ TRUE)
    if rng is not None:
        x = x + rng.normal(0, 0.01, 3).astype(np.float32)
    return {"x": x, "y": y, "index": np.int32(index)}


def eval_sample(index, rng):
    return sample(index)


def graph(index, rng):
    """A graph of 5 nodes, an odd number for the devices."""
    rng = np.random.default_rng(0)
    adjacency = (rng.random((5, 5)) < 0.5).astype(np.float32)
    nodes = rng.normal(size=(5, 3)).astype(np.float32)
    return {"nodes": nodes, "adjacency": adjacency, "labels": adjacency @ (nodes @ TRUE)}


def graph_stream(plan):
    axes = {"nodes": None, "adjacency": None, "labels": None, "mask": None}
    return Stream(plan, graph, lambda examples, rows: dict(examples[0]), axes=axes)


def train_stream(batch_size=8, num_workers=0, **changes):
    fields = dict(seed=1, num_workers=num_workers, name=lambda i: f"number {i}")
    return Stream(Shuffled(40, batch_size), sample, **(fields | changes))


def eval_stream(length=11, batch_size=8):
    return Stream(InOrder(length, batch_size), eval_sample)


def experiment(*, total_steps=20, batch_size=8, num_workers=0, task=None, **changes):
    schedule = optax.cosine_decay_schedule(0.1, 20)
    fields = dict(
        task=task or LinearTask(),
        train_data=train_stream(batch_size, num_workers),
        eval_data={"val": EvalSet(eval_stream(batch_size=batch_size))},
        optimizer=optax.sgd(schedule, momentum=0.5),
        learning_rate=schedule,
        total_steps=total_steps,
        seed=3,
        ema=constant_decay(0.5),
        log_every=1,
        eval_every=10,
        save_every=4,
        best=Best("val/score"),
    )
    return Experiment(**(fields | changes))


class KilledError(Exception):
    """What ends the process of a run."""


class Watched:
    """A stream that calls a function with each batch and its step."""

    def __init__(self, stream, see):
        self._stream = stream
        self._see = see

    def batches(self, start_step):
        for i, batch in enumerate(self._stream.batches(start_step), start_step):
            self._see(batch, i)
            yield batch

    def share(self, process, processes):
        return Watched(self._stream.share(process, processes), self._see)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def killed_at(experiment, step):
    """An experiment whose process dies when it asks for the batch after `step`."""

    def die(batch, i):
        if i == step:
            raise KilledError

    return dataclasses.replace(experiment, train_data=Watched(experiment.train_data, die))


def logged(workdir, name):
    """Reads {step: value} of a metric."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line[name] for line in lines if name in line}


def equal(one, two):
    """Whether two trees of arrays are equal to the last bit."""
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), one, two))
