"""The training step as programs, one for each shape of batch."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch
from jaxvision.train import overview
from jaxvision.train.progress import duration
from jaxvision.train.sharding import replicated, whole, with_constants
from jaxvision.train.state import TrainState
from jaxvision.train.step import Logs, Step


class CompiledStep:
    """Runs a step; compiles it, and says so, when a batch has shapes not seen before.

    Images of several sizes are several programs, and nothing is compiled unnoticed.

    Args:
        step: What to compile. The state that goes in is donated.
        mesh: Devices; the new state lies on them as the old one, the logs are on each.
        report: Gets a line of text before a program is compiled and one after.
        constants: Further keys of every batch, on the devices already.
    """

    def __init__(
        self,
        step: Step,
        mesh: Mesh,
        report: Callable[[str], None],
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        @functools.wraps(step)
        def with_whole_variables(
            state: TrainState, batch: Batch, key: jax.Array
        ) -> tuple[TrainState, Logs]:
            params, model_state = whole((state.params, state.model_state), mesh)
            return step(state.replace(params=params, model_state=model_state), batch, key)

        self._step = with_whole_variables
        self._logs_sharding = replicated(mesh)
        self._report = report
        self._constants = constants or {}
        self._programs: dict[tuple[Any, ...], jax.stages.Compiled] = {}

    def prepare(self, state: TrainState, batch: Batch, key: jax.Array, examples: int = 1) -> float:
        """Compiles the step for a batch of these shapes, if that was not done.

        Args:
            state: What the step is called with, as the next two.
            batch: Its arrays.
            key: The root key of the run.
            examples: Their number, for the operations of one.

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
        lowered = step.lower(state, with_constants(batch, self._constants), key)
        self._programs[shapes] = lowered.compile()
        spent = time.perf_counter() - started
        flops = overview.operations(lowered)
        cost = (
            "" if flops is None else f", {flops / examples / 1e9:.2f} GFLOPs per example and step"
        )
        self._report(f"compiled in {duration(spent)}{cost}")
        return spent

    def __call__(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        """Makes a step with a batch of shapes that `prepare` has compiled."""
        program = self._programs[_shapes(batch)]
        return program(state, with_constants(batch, self._constants), key)


def _shapes(batch: Batch) -> tuple[Any, ...]:
    return tuple((name, x.shape, x.dtype.name) for name, x in batch.items())
