"""The training step as programs, one for each shape of batch."""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch
from jaxvision.train import overview
from jaxvision.train.progress import duration
from jaxvision.train.sharding import replicated, whole
from jaxvision.train.state import TrainState
from jaxvision.train.step import Logs, Step


class CompiledStep:
    """Runs a step; compiles it, and says so, when a batch comes in shapes not seen before.

    Images of several sizes are several programs, and nothing is ever compiled unnoticed.

    Args:
        step: What to compile. The state that goes in is given away.
        mesh: Devices; the new state lies on them as the old one, the logs are on each.
        report: Gets a line of text before a program is compiled and one after.
    """

    def __init__(self, step: Step, mesh: Mesh, report: Callable[[str], None]) -> None:
        @functools.wraps(step)
        def with_whole_variables(
            state: TrainState, batch: Batch, key: jax.Array
        ) -> tuple[TrainState, Logs]:
            params, model_state = whole((state.params, state.model_state), mesh)
            return step(state.replace(params=params, model_state=model_state), batch, key)

        self._step = with_whole_variables
        self._logs_sharding = replicated(mesh)
        self._report = report
        self._programs: dict[tuple[Any, ...], jax.stages.Compiled] = {}

    def prepare(self, state: TrainState, batch: Batch, key: jax.Array) -> float:
        """Compiles the step for a batch of these shapes, if that was not done.

        Returns:
            Seconds that it took.
        """
        shapes = _shapes(batch)
        if shapes in self._programs:
            return 0.0
        started = time.perf_counter()
        name, largest = max(batch.items(), key=lambda item: item[1].size)
        self._report(f"compiling the step for {name} {list(largest.shape)}")
        # Without it XLA might place the new state elsewhere, which the next step would not take.
        shardings = (jax.tree.map(lambda x: x.sharding, state), self._logs_sharding)
        step = jax.jit(self._step, out_shardings=shardings, donate_argnums=0)
        lowered = step.lower(state, batch, key)
        self._programs[shapes] = lowered.compile()
        spent = time.perf_counter() - started
        flops = overview.operations(lowered)
        size = len(next(iter(batch.values())))
        cost = "" if flops is None else f", {flops / size / 1e9:.2f} GFLOPs an example and step"
        self._report(f"compiled in {duration(spent)}{cost}")
        return spent

    def __call__(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        """Makes a step with a batch that `prepare` has seen the shapes of."""
        return self._programs[_shapes(batch)](state, batch, key)


def _shapes(batch: Batch) -> tuple[Any, ...]:
    return tuple((name, x.shape, x.dtype.name) for name, x in batch.items())
