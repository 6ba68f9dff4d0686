"""Makes a step of a run again and finds the operation whose result is NaN or infinite."""

import contextlib
import itertools
import os
import pathlib
import traceback
from typing import NamedTuple

import jax
import numpy as np

from jaxvision.train import failed, sharding
from jaxvision.train.begin import newest_state, open_batches, step_of
from jaxvision.train.compiled import CompiledStep
from jaxvision.train.experiment import Experiment
from jaxvision.train.lock import locked
from jaxvision.train.record import Record
from jaxvision.train.state import state_shapes

# Parts of the paths of code that is not the model's.
_LIBRARIES = tuple(f"{os.sep}site-packages{os.sep}{name}{os.sep}" for name in ("jax", "flax"))


class Replayed(NamedTuple):
    """What a step did when it was made again.

    Attributes:
        logs: Its loss, norm of the gradient and other logs, of the step as it was.
        found: The first operation whose result is NaN or infinite, as JAX describes it; "" if there
            is none.
        place: Lines of the model's code that lead there, the last is the operation's.
    """

    logs: dict[str, float]
    found: str
    place: list[str]


def replay(experiment: Experiment, workdir: pathlib.Path, step: int) -> Replayed:
    """Makes a step of a run again, from the newest checkpoint, every operation on its own.

    Nothing is saved. The steps between are made as the run made them, hence to the last bit.

    Args:
        experiment: The run.
        workdir: Its folder.
        step: Number of the step, from 1. Its batch is the kept one where there is one.

    Raises:
        ValueError: If a checkpoint is of this step or a later one.
        TrainingError: As by `loop.run`.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(workdir))
        mesh = sharding.data_mesh()
        record = stack.enter_context(contextlib.closing(Record(experiment, workdir)))
        constants = sharding.put_whole(dict(experiment.constants), sharding.replicated(mesh))
        start = record.latest_step() or 0
        if start >= step:
            raise ValueError(
                f"the step must be after the newest checkpoint, of step {start}, got {step}"
            )
        batches = stack.enter_context(open_batches(experiment, start))
        first, axis = next(batches), experiment.train_data.axis
        shapes = sharding.batch_shapes(first, mesh, axis)
        wanted = state_shapes(experiment, shapes, mesh)
        state, _ = newest_state(experiment, shapes, wanted, record, mesh)
        key = sharding.put_key(jax.random.key(experiment.seed), mesh)
        make = CompiledStep(step_of(experiment), mesh, constants)
        batches = itertools.chain([first], batches)
        for host_batch in itertools.islice(batches, step - 1 - int(state.step)):
            batch = sharding.put_batch(host_batch, mesh, axis)
            make.prepare(state, batch, key, report=lambda line: None)
            state, _ = make(state, batch, key)
        host_batch = failed.read_batch(workdir, step) or next(batches)
        batch = sharding.with_constants(sharding.put_batch(host_batch, mesh, axis), constants)
        once = jax.jit(step_of(experiment))
        logs = {name: float(x) for name, x in once(state, batch, key)[1].items()}
        infinite = any(np.isinf(x) for x in logs.values())
        watched = jax.debug_infs if infinite else jax.debug_nans
        try:
            with watched(True):
                jax.block_until_ready(once(state, batch, key))
        except FloatingPointError as error:
            return Replayed(logs, str(error), _place(error))
    return Replayed(logs, "", [])


def _place(error: FloatingPointError) -> list[str]:
    """Returns the lines of the model's code in a traceback, the outermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(part in frame.filename for part in _LIBRARIES)]
    return [f"{frame.filename}:{frame.lineno}: {frame.line}" for frame in own[-4:]]
