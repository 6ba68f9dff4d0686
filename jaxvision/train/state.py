"""What a training run carries from step to step."""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.experiment import Experiment
from jaxvision.train.names import matching, without
from jaxvision.train.plateau import PlateauState
from jaxvision.train.sharding import cut, put_whole


class Average(flax.struct.PyTreeNode):
    """Moving average of what the model is made of."""

    params: Params
    model_state: ModelState


class LossMean(flax.struct.PyTreeNode):
    """Mean of the losses of the last steps whose update was made, and the number of all of them."""

    value: jax.Array
    count: jax.Array

    @classmethod
    def initial(cls) -> "LossMean":
        """Before the first step."""
        return cls(value=jnp.zeros(()), count=jnp.zeros((), jnp.int32))


class TrainState(flax.struct.PyTreeNode):
    """Parameters, model state and optimizer state after `step` steps.

    Attributes:
        step: Steps made, int32.
        params: Parameters.
        model_state: All other collections of the model, as batch_stats, but for `rows`.
        opt_state: State of the optimizer.
        ema: Moving average of params and model_state, or None.
        rows: Collections of the model that hold rows of the batch.
        plateau: Scale of the learning rate and what it depends on, or None.
        loss_mean: What losses are compared with to find one that jumps, or None.
    """

    step: jax.Array
    params: Params
    model_state: ModelState
    opt_state: Any
    ema: Average | None
    rows: ModelState = dataclasses.field(default_factory=dict)
    plateau: PlateauState | None = None
    loss_mean: LossMean | None = None

    @property
    def variables(self) -> dict[str, Any]:
        """The parameters, as `params`, and the model state by collection."""
        return {"params": self.params, **self.model_state}

    def with_variables(self, variables: dict[str, Any]) -> "TrainState":
        """Replaces parameters, model state and their average, each where it was placed."""
        start = _placed(variables, self.variables)
        # A copy of its own for the average: a step gives away the buffers of both.
        average = self.ema and _placed(variables, self.variables)
        return self.replace(params=start.params, model_state=start.model_state, ema=average)

    @property
    def evaluated(self) -> tuple[Params, ModelState]:
        """What evaluation uses: the moving average where there is one."""
        if self.ema is None:
            return self.params, self.model_state
        return self.ema.params, self.ema.model_state

    def with_evaluated(self, params: Params, model_state: ModelState) -> "TrainState":
        """Replaces what evaluation uses."""
        old_params, old_state = self.evaluated
        new = _placed({"params": params, **model_state}, {"params": old_params, **old_state})
        if self.ema is None:
            return self.replace(params=new.params, model_state=new.model_state)
        return self.replace(ema=new)


def _placed(new: dict[str, Any], old: dict[str, Any]) -> Average:
    values = jax.tree.map(lambda x, _: np.array(x), new, old)
    variables = put_whole(values, jax.tree.map(lambda x: x.sharding, old))
    return Average(variables.pop("params"), variables)


def create_state(experiment: Experiment, batch: Batch, mesh: Mesh) -> TrainState:
    """Initialises a run on the devices.

    Args:
        experiment: What to train.
        batch: Shapes of a batch, arrays or `jax.ShapeDtypeStruct`s, without `truth`.
        mesh: Devices.

    Raises:
        ValueError: If `freeze` or `collections` names what the model does not have.
    """
    create, arguments = _creator(experiment, batch)
    shapes = jax.eval_shape(create, *arguments)
    create = jax.jit(
        create,
        out_shardings=_shardings(experiment, shapes, mesh),
        # It runs once: the time goes into compiling it.
        compiler_options={"xla_backend_optimization_level": 1},
    )
    return create(*arguments)


def state_shapes(experiment: Experiment, batch: Batch, mesh: Mesh) -> TrainState:
    """Describes what `create_state` would make, as `jax.ShapeDtypeStruct`s with shardings."""
    create, arguments = _creator(experiment, batch)
    shapes = jax.eval_shape(create, *arguments)
    shardings = _shardings(experiment, shapes, mesh)
    return jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        shapes,
        shardings,
    )


def _creator(experiment: Experiment, batch: Batch) -> tuple[Any, tuple[Any, ...]]:
    """Returns a pure function that makes a fresh state, and its arguments."""
    shapes = {
        key: jax.ShapeDtypeStruct(x.shape, x.dtype)
        for key, x in batch.items()
        if key not in experiment.constants
    }

    def create(key: jax.Array, constants: Any) -> TrainState:
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        params, model_state = experiment.task.init(key, {**zeros, **constants})
        if missing := sorted(experiment.collections.keys() - model_state.keys()):
            raise ValueError(
                f"collections must be of the model's state, {sorted(model_state)}, got {missing}"
            )
        frozen = matching(params, experiment.freeze, "freeze")
        if experiment.freeze and experiment.total_steps and all(jax.tree.leaves(frozen)):
            raise ValueError("freeze leaves no parameter to train")
        rows = {name: model_state[name] for name in experiment.rows}
        model_state = {k: x for k, x in model_state.items() if k not in rows}
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            model_state=model_state,
            opt_state=experiment.optimizer.init(without(params, frozen)),
            ema=Average(params, model_state) if experiment.ema is not None else None,
            rows=rows,
            plateau=PlateauState.initial() if experiment.plateau is not None else None,
            loss_mean=LossMean.initial() if experiment.spike else None,
        )

    return create, (jax.random.key(experiment.seed), dict(experiment.constants))


def _shardings(experiment: Experiment, shapes: TrainState, mesh: Mesh) -> TrainState:
    shardings = experiment.state_sharding(mesh, shapes)
    # Rows lie where those of the batch do.
    return shardings.replace(rows=jax.tree.map(lambda _: cut(mesh), shapes.rows))
