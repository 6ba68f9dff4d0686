"""The training step as programs, one for each shape of batch."""

import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
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
        constants: Further keys of every batch, on the devices already.
    """

    def __init__(
        self,
        step: Step,
        mesh: Mesh,
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
        self._constants = constants or {}
        self._programs: dict[tuple[Any, ...], jax.stages.Compiled] = {}
        self._pending: dict[tuple[Any, ...], Future[tuple[jax.stages.Compiled, str]]] = {}
        self._compiler = ThreadPoolExecutor(1, "compiler")

    def begin(self, state: TrainState, batch: Batch, key: jax.Array, examples: int = 1) -> None:
        """Lets a thread compile the step for a batch of these shapes, until `prepare` wants it.

        Args:
            state: What the step is called with, or `jax.ShapeDtypeStruct`s with shardings.
            batch: Its arrays, on the devices.
            key: The root key of the run.
            examples: Their number, for the operations of one.
        """
        started = time.perf_counter()
        # Without it XLA might place the new state elsewhere, which the next step would not take.
        shardings = (jax.tree.map(lambda x: x.sharding, state), self._logs_sharding)
        step = jax.jit(self._step, out_shardings=shardings, donate_argnums=0)
        lowered = step.lower(state, with_constants(batch, self._constants), key)

        def compile_() -> tuple[jax.stages.Compiled, str]:
            program = lowered.compile()
            spent = duration(time.perf_counter() - started)
            flops = overview.operations(lowered)
            if flops is None:
                return program, f"compiled in {spent}"
            cost = f"{flops / examples / 1e9:.2f} GFLOPs per example and step"
            return program, f"compiled in {spent}, {cost}"

        self._pending[_shapes(batch)] = self._compiler.submit(compile_)

    def prepare(
        self,
        state: TrainState,
        batch: Batch,
        key: jax.Array,
        examples: int = 1,
        report: Callable[[str], None] = print,
    ) -> float:
        """Compiles the step for a batch of these shapes, if that was not done.

        Args:
            state: What the step is called with, as the next two.
            batch: Its arrays.
            key: The root key of the run.
            examples: Their number, for the operations of one.
            report: Gets a line of text before and one after.

        Returns:
            Seconds that it took.
        """
        shapes = _shapes(batch)
        if shapes in self._programs:
            return 0.0
        started = time.perf_counter()
        if shapes not in self._pending:
            self.begin(state, batch, key, examples)
        name, largest = max(batch.items(), key=lambda item: item[1].size)
        report(f"compiling the step for {name} {list(largest.shape)}")
        self._programs[shapes], message = self._pending.pop(shapes).result()
        report(message)
        return time.perf_counter() - started

    def __call__(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Logs]:
        """Makes a step with a batch of shapes that `prepare` has compiled."""
        program = self._programs[_shapes(batch)]
        return program(state, with_constants(batch, self._constants), key)


def _shapes(batch: Batch) -> tuple[Any, ...]:
    return tuple((name, x.shape, x.dtype.name) for name, x in batch.items())
