"""One step for every task."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxvision.tasks.task import Batch, Loss, Task
from jaxvision.train.optim import plateau_scale
from jaxvision.train.state import Average, TrainState

Logs = dict[str, jax.Array]
Step = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Logs]]


def make_step(
    task: Task,
    optimizer: optax.GradientTransformation,
    ema: Callable[[jax.Array], jax.Array] | None,
    *,
    accumulate: int = 1,
) -> Step:
    """Builds the function (state, batch, key) -> (state, logs) that a run repeats.

    Args:
        task: Its loss is minimised.
        optimizer: Turns gradients into updates; one that wants it is given the loss as `value`.
        ema: Decay of the moving average as a function of the updates made, or None.
        accumulate: Parts of a batch that are computed one after another, for batches that do not
            fit into memory. A step stays one update by the whole batch: the mean of the parts'
            gradients, which is the gradient of the batch where the loss is a mean over its
            examples. Statistics of batches are those of the parts.

    Raises:
        ValueError: If `accumulate` is not positive, or, at the first step, does not divide the
            batch.
    """
    if accumulate < 1:
        raise ValueError(f"accumulate must be at least 1, got {accumulate}")
    optimizer = optax.with_extra_args_support(optimizer)

    def gradient(
        params: Any, model_state: Any, batch: Batch, step: jax.Array, key: jax.Array
    ) -> tuple[Any, Loss]:
        def objective(params):
            loss = task.loss(params, model_state, batch, step=step, key=key)
            return loss.value, loss

        return jax.grad(objective, has_aux=True)(params)

    def gradient_of_parts(
        params: Any, model_state: Any, batch: Batch, step: jax.Array, key: jax.Array
    ) -> tuple[Any, Loss]:
        def part(carry, inputs):
            model_state, total = carry
            rows, number = inputs
            grads, loss = gradient(params, model_state, rows, step, jax.random.fold_in(key, number))
            return (loss.state, jax.tree.map(jnp.add, total, grads)), (loss.value, loss.logs)

        zeros = jax.tree.map(jnp.zeros_like, params)
        parts = jax.tree.map(lambda x: _parts(x, accumulate), dict(batch))
        (model_state, total), found = jax.lax.scan(
            part, (model_state, zeros), (parts, jnp.arange(accumulate))
        )
        value, logs = jax.tree.map(lambda x: x.mean(axis=0), found)
        return jax.tree.map(lambda x: x / accumulate, total), Loss(value, model_state, logs)

    def step(state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        # Folding the step into one root key makes a resumed run draw the same
        # noise as an uninterrupted one.
        key = jax.random.fold_in(key, state.step)
        compute = gradient if accumulate == 1 else gradient_of_parts
        grads, loss = compute(state.params, state.model_state, batch, state.step, key)
        updates, opt_state = optimizer.update(
            grads, state.opt_state, state.params, value=loss.value
        )
        params = optax.apply_updates(state.params, updates)
        count = state.step + 1
        average = None
        if ema is not None:
            decay = ema(count)
            average = jax.tree.map(
                lambda old, new: decay * old + (1.0 - decay) * new,
                state.ema,
                Average(params, loss.state),
            )
        logs = {"loss": loss.value, "grad_norm": optax.tree.norm(grads), **loss.logs}
        if (scale := plateau_scale(opt_state)) is not None:
            logs["plateau_scale"] = scale
        logs = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), logs)
        return TrainState(count, params, loss.state, opt_state, average), logs

    return step


def _parts(x: jax.Array, count: int) -> jax.Array:
    """Cuts [B, ...] into [count, B / count, ...], every count-th row into one part.

    A batch lies on the devices in blocks of neighbours: this way each part has rows on all of them.
    """
    if len(x) % count:
        raise ValueError(f"batch_size must be a multiple of accumulate, {count}, got {len(x)}")
    return x.reshape(len(x) // count, count, *x.shape[1:]).swapaxes(0, 1)
