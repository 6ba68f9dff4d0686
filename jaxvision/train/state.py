"""What a training run carries from step to step."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch, ModelState, Params, Task
from jaxvision.train.sharding import StateSharding, replicated_state


class Average(flax.struct.PyTreeNode):
    """Moving average of what the model is made of."""

    params: Params
    model_state: ModelState


class TrainState(flax.struct.PyTreeNode):
    """Parameters, model state and optimizer state after `step` steps.

    Attributes:
        step: Steps made, int32.
        params: Parameters.
        model_state: All other collections of the model, as batch_stats.
        opt_state: State of the optimizer.
        ema: Moving average of params and model_state, or None.
    """

    step: jax.Array
    params: Params
    model_state: ModelState
    opt_state: Any
    ema: Average | None

    def start_from(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> "TrainState":
        """Replaces parameters, model state and their average, each where it was placed."""
        old = {"params": self.params, **self.model_state}
        new = change(old)

        def placed() -> Average:
            variables = jax.tree.map(lambda x, y: jax.device_put(np.array(x), y.sharding), new, old)
            return Average(variables.pop("params"), variables)

        start = placed()
        # A copy of its own for the average: a step gives away the buffers of both.
        average = self.ema and placed()
        return self.replace(params=start.params, model_state=start.model_state, ema=average)

    @property
    def evaluated(self) -> tuple[Params, ModelState]:
        """What evaluation uses: the moving average where there is one."""
        if self.ema is None:
            return self.params, self.model_state
        return self.ema.params, self.ema.model_state


def create_state(
    task: Task,
    optimizer: optax.GradientTransformation,
    batch: Batch,
    *,
    seed: int,
    ema: bool,
    mesh: Mesh,
    state_sharding: StateSharding = replicated_state,
) -> TrainState:
    """Initialises a run on the devices.

    Args:
        task: The problem.
        optimizer: Its state is initialised with the parameters.
        batch: Shapes of a batch, arrays or `jax.ShapeDtypeStruct`s.
        seed: Of the initial parameters.
        ema: Whether the state holds a moving average, which starts as a copy.
        mesh: Devices.
        state_sharding: Where on them every array goes.
    """
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), dict(batch))

    def create(key: jax.Array) -> TrainState:
        params, model_state = task.init(
            key, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        )
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            model_state=model_state,
            opt_state=optimizer.init(params),
            ema=Average(params, model_state) if ema else None,
        )

    key = jax.random.key(seed)
    shardings = state_sharding(mesh, jax.eval_shape(create, key))
    return jax.jit(create, out_shardings=shardings)(key)
