"""One step for every task."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxvision.layers.frozen import frozen_norms
from jaxvision.tasks.task import Batch, Loss, ModelState, Params, Task
from jaxvision.train.names import joined, matching, without
from jaxvision.train.players import moved
from jaxvision.train.state import Average, TrainState

Logs = dict[str, jax.Array]
Step = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Logs]]
# Maps (all parameters, mask of the frozen, model state with rows, batch, step, key) to the gradient
# of those that are not frozen, and the loss.
_Gradient = Callable[..., tuple[Params, Loss]]


def make_step(
    task: Task,
    optimizer: optax.GradientTransformation,
    ema: Callable[[jax.Array], jax.Array] | None,
    *,
    accumulate: int = 1,
    freeze: Sequence[str] = (),
    collections: Mapping[str, str] | None = None,
    axis: Callable[[str], int | None] = lambda key: 0,
) -> Step:
    """Builds the function (state, batch, key) -> (state, logs) that a run repeats.

    Args:
        task: Its loss is minimised.
        optimizer: Turns gradients into updates; one that uses it is given the loss as `value`.
        ema: Decay of the moving average as a function of the updates made, or None.
        accumulate: Parts of a batch that are computed one after another, for batches that do not
            fit into memory. A step stays one update by the whole batch: the mean of the parts'
            gradients, which is the gradient of the batch where the loss is a mean over its
            examples. Statistics of batches are those of the parts.
        freeze: Patterns of parameters that stay as they are.
        collections: What becomes of collections of the model's state; see `Experiment`.
        axis: Axis along which an array of the batch is cut into parts, or None to leave it whole.

    Raises:
        ValueError: If `accumulate` is not positive, or, at the first step, does not divide the
            batch.
    """
    if accumulate < 1:
        raise ValueError(f"accumulate must be at least 1, got {accumulate}")
    optimizer = optax.with_extra_args_support(optimizer)
    kinds = collections or {}
    compute = _gradient_of(task)
    if accumulate > 1:
        rows = tuple(name for name, kind in kinds.items() if kind == "rows")
        compute = _accumulated(compute, accumulate, rows, axis)

    def step(state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        # Folding the step into one root key makes a resumed run draw the same
        # noise as an uninterrupted one.
        key = jax.random.fold_in(key, state.step)
        frozen = matching(state.params, freeze, "freeze")
        old_state = {**state.model_state, **state.rows}
        grads, loss = compute(state.params, frozen, old_state, batch, state.step, key)
        trained = without(state.params, frozen)
        updates, opt_state = optimizer.update(grads, state.opt_state, trained, value=loss.value)
        if (plateau := state.plateau) is not None:
            updates = jax.tree.map(lambda x: x * plateau.scale, updates)
        params = joined(optax.apply_updates(trained, updates), state.params)
        new_state = {name: loss.state[name] for name in old_state}
        model_state = {name: new_state[name] for name in state.model_state}
        average = state.ema
        if ema is not None and average is not None:
            average = _average(
                average,
                Average(params, model_state),
                ema(state.step + 1),
                moved(opt_state),
                kinds,
            )
        logs = {"loss": loss.value, "grad_norm": optax.tree.norm(grads), **loss.logs}
        if plateau is not None:
            logs["plateau_scale"] = plateau.scale
        logs = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), logs)
        return state.replace(
            step=state.step + 1,
            params=params,
            model_state=model_state,
            opt_state=opt_state,
            ema=average,
            rows={name: new_state[name] for name in state.rows},
        ), logs

    return step


def _gradient_of(task: Task) -> _Gradient:
    def gradient(
        params: Params,
        frozen: Any,
        model_state: ModelState,
        batch: Batch,
        step: jax.Array,
        key: jax.Array,
    ) -> tuple[Params, Loss]:
        def objective(trained):
            everything = joined(trained, params)
            rests = any(jax.tree.leaves(frozen))
            with frozen_norms(everything, frozen) if rests else contextlib.nullcontext():
                loss = task.loss(everything, model_state, batch, step=step, key=key)
            return loss.value, loss

        return jax.grad(objective, has_aux=True)(without(params, frozen))

    return gradient


def _accumulated(
    gradient: _Gradient, count: int, rows: Sequence[str], axis: Callable[[str], int | None]
) -> _Gradient:
    """Cuts batch and rows into `count` parts and takes the mean of their gradients."""

    def gradient_of_parts(
        params: Params,
        frozen: Any,
        model_state: ModelState,
        batch: Batch,
        step: jax.Array,
        key: jax.Array,
    ) -> tuple[Params, Loss]:
        axes = {name: axis(name) for name in batch}
        whole = {name: x for name, x in batch.items() if axes[name] is None}
        parts = {
            name: _parts(x, count, place)
            for name, x in batch.items()
            if (place := axes[name]) is not None
        }
        row_parts = jax.tree.map(
            lambda x: _parts(x, count, 0), {name: model_state[name] for name in rows}
        )

        def part(carry, inputs):
            model_state, total = carry
            cut, row_part, number = inputs
            grads, loss = gradient(
                params,
                frozen,
                {**model_state, **row_part},
                {**whole, **cut},
                step,
                jax.random.fold_in(key, number),
            )
            new_rows = {name: loss.state[name] for name in rows}
            kept = {name: loss.state[name] for name in model_state}
            total = jax.tree.map(jnp.add, total, grads)
            return (kept, total), (new_rows, loss.value, loss.logs)

        zeros = jax.tree.map(jnp.zeros_like, without(params, frozen))
        shared = {name: x for name, x in model_state.items() if name not in rows}
        (shared, total), (new_rows, *found) = jax.lax.scan(
            part, (shared, zeros), (parts, row_parts, jnp.arange(count))
        )
        value, logs = jax.tree.map(lambda x: x.mean(axis=0), found)
        state = {**shared, **jax.tree.map(_together, new_rows)}
        return jax.tree.map(lambda x: x / count, total), Loss(value, state, logs)

    return gradient_of_parts


def _parts(x: jax.Array, count: int, axis: int) -> jax.Array:
    """Cuts B of an axis into `count` parts, a new first axis; every count-th row is of one part.

    A batch lies on the devices in blocks of neighbours: this way each part has rows on all of them.
    """
    size = x.shape[axis]
    if size % count:
        raise ValueError(f"batch_size must be a multiple of accumulate, {count}, got {size}")
    shape = (*x.shape[:axis], size // count, count, *x.shape[axis + 1 :])
    return jnp.moveaxis(x.reshape(shape), axis + 1, 0)


def _together(parts: jax.Array) -> jax.Array:
    """Undoes `_parts` of the first axis: [count, B / count, ...] to [B, ...]."""
    return parts.swapaxes(0, 1).reshape(-1, *parts.shape[2:])


def _average(
    old: Average,
    new: Average,
    decay: jax.Array,
    moved: Mapping[str, jax.Array],
    kinds: Mapping[str, str],
) -> Average:
    """Moves the average towards the new state; that of a player who did not move rests."""

    def mixed(before: jax.Array, after: jax.Array) -> jax.Array:
        # What does not change, as frozen parameters, must not change by a rounding either.
        return jnp.where(before == after, after, decay * before + (1.0 - decay) * after)

    def of_player(name: str, before: Any, after: Any) -> Any:
        result = jax.tree.map(mixed, before, after)
        if name not in moved:
            return result
        return jax.tree.map(lambda x, y: jnp.where(moved[name], x, y), result, before)

    def of_parts(before: Any, after: Any) -> Any:
        if not isinstance(before, Mapping):
            return jax.tree.map(mixed, before, after)
        return {name: of_player(name, before[name], after[name]) for name in before}

    model_state = {
        name: new.model_state[name]
        if kinds.get(name) == "copy"
        else of_parts(old.model_state[name], new.model_state[name])
        for name in old.model_state
    }
    return Average(of_parts(old.params, new.params), model_state)
