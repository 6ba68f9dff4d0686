"""A step for tables of which a batch uses few rows: no gradient has the size of a table.

`jaxvision.train.step` differentiates by all parameters, and its optimizer changes all of them: of a
vocabulary of 100,000 words that would be 1,000 times the work of the rows that a batch uses. Here
the rows are looked up first, the loss is differentiated by the rows, and what is subtracted is
added at their places. A batch is cut into parts that are learned one after another in one program,
since plain gradient descent by sums, as of word2vec, must not see a frequent word too often before
its vector moves.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax

from jaxvision.tasks.task import Batch
from jaxvision.train.state import TrainState
from jaxvision.train.step import Logs, Step


class SparseTask(Protocol):
    """What a task offers besides `Task`; its parameters are tables {name: [V, D]}."""

    def lookup(self, batch: Batch, key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        """Returns the rows of each table that a batch uses, int32, and what else it says.

        A row may occur several times: its gradients are added.
        """
        ...

    def loss_of_rows(self, rows: dict[str, jax.Array], known: Any) -> tuple[jax.Array, jax.Array]:
        """Returns the sum of the losses and their number.

        Args:
            rows: The rows of `lookup`, each with a further axis D.
            known: What `lookup` returned besides.
        """
        ...

    def damping(
        self,
        ids: dict[str, jax.Array],
        rows: dict[str, jax.Array],
        known: Any,
        rate: jax.Array,
    ) -> dict[str, jax.Array]:
        """Returns what the step of each row is multiplied by, so that their sum stays stable.

        Args:
            ids: The rows of `lookup`, by number.
            rows: Their vectors.
            known: What `lookup` returned besides.
            rate: Learning rate.
        """
        ...


def make_sparse_step(
    task: SparseTask,
    optimizer: optax.GradientTransformation,
    ema: Callable[[jax.Array], jax.Array] | None,
    *,
    learning_rate: optax.Schedule,
    parts: int,
    cut: tuple[str, ...],
) -> Step:
    """Builds a step of plain gradient descent by the sum of the losses.

    Args:
        task: Says which rows a batch uses, and its loss of them.
        optimizer: Is not used.
        ema: Must be None.
        learning_rate: Of a step.
        parts: Parts of a batch, learned one after another; they must divide B.
        cut: Arrays of the batch [B, ...] that are cut into the parts.

    Raises:
        ValueError: If there is an average.
    """
    del optimizer
    if ema is not None:
        raise ValueError(
            "ema.decay and ema.tail must be 0 where updates are sparse: an average would change "
            "every row in every step"
        )

    def learn(
        rate: jax.Array, whole: Batch, tables: dict[str, jax.Array], inputs: tuple[Batch, jax.Array]
    ) -> tuple[dict[str, jax.Array], tuple[jax.Array, jax.Array]]:
        part, key = inputs
        ids, known = task.lookup({**whole, **part}, key)
        used = {name: tables[name].at[i].get(mode="promise_in_bounds") for name, i in ids.items()}
        compute = functools.partial(task.loss_of_rows, known=known)
        (loss, count), grads = jax.value_and_grad(compute, has_aux=True)(used)
        damped = task.damping(ids, used, known, rate)
        steps = {name: -rate * damped[name][..., None] * x for name, x in grads.items()}
        changed = {
            name: tables[name].at[i].add(steps[name], mode="promise_in_bounds")
            for name, i in ids.items()
        }
        return {**tables, **changed}, (loss, count)

    def step(state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        key = jax.random.fold_in(key, state.step)
        rate = jnp.asarray(learning_rate(state.step), jnp.float32)
        pieces = {name: batch[name].reshape(parts, -1, *batch[name].shape[1:]) for name in cut}
        whole = {name: x for name, x in batch.items() if name not in cut}
        params, (losses, counts) = jax.lax.scan(
            functools.partial(learn, rate, whole),
            state.params,
            (pieces, jax.random.split(key, parts)),
        )
        mean = losses.sum() / jnp.maximum(counts.sum(), 1.0)
        return state.replace(step=state.step + 1, params=params), {"loss": mean}

    return step
