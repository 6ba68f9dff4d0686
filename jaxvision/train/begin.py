"""What a run begins with: its data from a step on, its newest state, its step."""

import contextlib
from collections.abc import Iterator, Mapping

import jax
from absl import logging
from jax.sharding import Mesh

from jaxvision.pretrained.transfer import transfer
from jaxvision.tasks.task import Batch
from jaxvision.train import sharding
from jaxvision.train.experiment import Experiment
from jaxvision.train.record import Record
from jaxvision.train.skip import skipping
from jaxvision.train.state import TrainState, create_state
from jaxvision.train.step import Step, make_step


@contextlib.contextmanager
def open_batches(experiment: Experiment, step: int) -> Iterator[Iterator[Batch]]:
    """Opens the training data after a step, until the end of the block."""
    batches = experiment.train_data.batches(step)
    try:
        yield batches
    finally:
        if close := getattr(batches, "close", None):
            close()


def newest_state(
    experiment: Experiment,
    shapes: Mapping[str, jax.ShapeDtypeStruct],
    wanted: TrainState,
    record: Record,
    mesh: Mesh,
) -> tuple[TrainState, bool]:
    """Returns the newest saved state, or a fresh one, and whether it was saved."""
    restored = record.restore(wanted)
    if restored is None:
        state = create_state(experiment, shapes, mesh)
        if experiment.init_from:
            variables = sharding.readable(state.variables)
            for source in experiment.init_from:
                given = source.variables() if callable(source.variables) else source.variables
                found = transfer(given, variables, source.there, source.here, strict=source.strict)
                print(f"started from {source.label}: {found.message}")
                variables = found.variables
            state = state.with_variables(variables)
        return state, False
    if restored.loss_mean is None and experiment.spike:
        restored = restored.replace(loss_mean=create_state(experiment, shapes, mesh).loss_mean)
    if restored.rows is None:
        logging.warning(
            "the batch size has changed: the rows of %s start anew", ", ".join(experiment.rows)
        )
        restored = restored.replace(rows=create_state(experiment, shapes, mesh).rows)
    return restored, True


def step_of(experiment: Experiment) -> Step:
    """Builds the step of an experiment."""
    step = _plain_step(experiment)
    skip = experiment.non_finite == "skip"
    if skip or experiment.spike:
        return skipping(step, non_finite=skip, spike=experiment.spike)
    return step


def _plain_step(experiment: Experiment) -> Step:
    if experiment.make_step is not None:
        return experiment.make_step(experiment.task, experiment.optimizer, experiment.ema)

    def axis(key: str) -> int | None:
        return None if key in experiment.constants else experiment.train_data.axis(key)

    return make_step(
        experiment.task,
        experiment.optimizer,
        experiment.ema,
        accumulate=experiment.accumulate,
        freeze=experiment.freeze,
        collections=experiment.collections,
        axis=axis,
    )
