"""One step for every task."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxvision.tasks.task import Batch, Task
from jaxvision.train.state import Average, TrainState

Logs = dict[str, jax.Array]
Step = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Logs]]


def make_step(
    task: Task,
    optimizer: optax.GradientTransformation,
    ema: Callable[[jax.Array], jax.Array] | None,
) -> Step:
    """Builds the function (state, batch, key) -> (state, logs) that a run repeats.

    Args:
        task: Its loss is minimised.
        optimizer: Turns gradients into updates.
        ema: Decay of the moving average as a function of the updates made, or None.
    """

    def step(state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        # Folding the step into one root key makes a resumed run draw the same
        # noise as an uninterrupted one.
        key = jax.random.fold_in(key, state.step)

        def objective(params):
            loss = task.loss(params, state.model_state, batch, step=state.step, key=key)
            return loss.value, loss

        grads, loss = jax.grad(objective, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
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
        logs = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), logs)
        return TrainState(count, params, loss.state, opt_state, average), logs

    return step
