"""The one loop that runs every task."""

import contextlib
import enum
import functools
import itertools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch
from jaxvision.train import processes, sharding
from jaxvision.train.begin import newest_state, open_batches, step_of
from jaxvision.train.compiled import CompiledStep
from jaxvision.train.experiment import Experiment
from jaxvision.train.guard import FiniteGuard
from jaxvision.train.interrupt import interruptible
from jaxvision.train.lock import locked
from jaxvision.train.monitor import Monitor, say_already_finished
from jaxvision.train.patience import Patience
from jaxvision.train.progress import Progress
from jaxvision.train.record import Record
from jaxvision.train.save_times import SaveTimes
from jaxvision.train.state import TrainState, state_shapes


class Outcome(enum.Enum):
    """How a call of `run` ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"


class Result(NamedTuple):
    """What `run` returns.

    Attributes:
        outcome: How it ended.
        state: The last state, on the devices; `state.evaluated` is what was evaluated.
        metrics: Of the last evaluation by their full names; empty if there was none.
    """

    outcome: Outcome
    state: TrainState
    metrics: dict[str, float]


def run(experiment: Experiment, workdir: pathlib.Path | None = None) -> Result:
    """Trains an experiment to its end, from its newest checkpoint if there is one.

    Where `jax.distributed` has joined several processes, all of them call it, with the same
    experiment and a folder that all of them see.

    Args:
        experiment: What to train.
        workdir: Gets checkpoints, metrics and pictures; a second call with the same folder
            continues. None: nothing is written.

    Raises:
        TrainingError: If a loss or the state is NaN or infinite, the checkpoints there are of
            another model or damaged, one cannot be written, another process uses the folder, or
            processes have different data.
        ValueError: If parts of the experiment do not fit together.
    """
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        shown = stack.enter_context(processes.one_speaks())
        mesh = sharding.data_mesh()
        if sharding.num_processes(mesh) > 1:
            processes.check_same(experiment.common())
            experiment = experiment.share(jax.process_index(), jax.process_count())
        processes.from_first(lambda: stack.enter_context(locked(workdir)))
        record = stack.enter_context(contextlib.closing(Record(experiment, workdir)))
        stack.enter_context(processes.ends_with_the_others())
        constants = sharding.put_whole(dict(experiment.constants), sharding.replicated(mesh))

        latest = record.latest_step() or 0
        batches = stack.enter_context(open_batches(experiment, latest))
        first_batch = next(batches)
        make = CompiledStep(step_of(experiment), mesh, constants)
        key = sharding.put_key(jax.random.key(experiment.seed), mesh)
        axis, rows = experiment.train_data.axis, experiment.train_data.rows(first_batch)
        shapes = sharding.batch_shapes(first_batch, mesh, axis)
        wanted = state_shapes(experiment, shapes, mesh)
        if latest < experiment.total_steps:  # while the state is made and tried
            make.begin(wanted, sharding.put_batch(first_batch, mesh, axis), key, rows)
        state, restored = newest_state(experiment, shapes, wanted, record, mesh)
        start = int(state.step)
        if start != latest:  # the newest checkpoint could not be read
            batches = stack.enter_context(open_batches(experiment, start))
            first_batch = next(batches)
        history = record.history(start)
        patience = Patience(experiment.patience, experiment.best, history)
        if restored and (start >= experiment.total_steps or patience.over):
            say_already_finished(experiment, workdir, start, patience)
            return Result(Outcome.FINISHED, state, history[max(history)] if history else {})

        progress = Progress(experiment.total_steps, start=start, stream=shown)
        monitor = Monitor(experiment, mesh, constants, record, patience, progress)
        monitor.introduce(state, first_batch)
        monitor.check_rate(start)
        monitor.check_evaluation(state)
        print(f"training from step {start} to {experiment.total_steps}", flush=True)

        stack.enter_context(contextlib.closing(monitor.progress))
        interrupted = stack.enter_context(interruptible(mesh))
        batches = itertools.chain([first_batch], batches)
        result = _train(experiment, monitor, mesh, make, key, state, batches, interrupted)
        monitor.progress.close()
        record.wait()
        if result.outcome is Outcome.FINISHED:
            monitor.show_result(result.metrics, time.perf_counter() - started)
        else:
            saved = "which is saved; the same command continues" if workdir else "nothing is saved"
            print(f"stopped after step {int(result.state.step)}, {saved}")
        return result


def _train(
    experiment: Experiment,
    monitor: Monitor,
    mesh: Mesh,
    make: CompiledStep,
    key: jax.Array,
    state: TrainState,
    batches: Iterator[Batch],
    interrupted: Callable[[], bool],
) -> Result:
    """Makes the steps, and what comes after the last."""
    start, total, stream = int(state.step), experiment.total_steps, experiment.train_data
    is_due = SaveTimes(experiment.save_every, experiment.save_minutes, mesh)
    guard = FiniteGuard(experiment, monitor.record.failed)
    step, metrics = start, None

    for step, host_batch in enumerate(itertools.islice(batches, total - start), start + 1):
        examples = stream.rows(host_batch)
        batch = sharding.put_batch(host_batch, mesh, stream.axis)
        monitor.pause(make.prepare(state, batch, key, examples, monitor.progress.message))
        state, logs = make(state, batch, key)
        guard.watch(step, host_batch, logs)
        monitor.count(step, examples)
        if step % experiment.log_every == 0 or step in (start + 1, total):
            monitor.log(step, logs)

        metrics = None
        if step % experiment.eval_every == 0 and step < total:
            guard.flush(state)
            metrics = monitor.evaluate(state, step, at_end=False)
            state = monitor.watch(state, step, metrics)
        stop, due = interrupted() and step < total, is_due(step)
        if step % stream.steps_per_epoch == 0 or step == total or stop:
            monitor.show_faults(step, stream)
        if monitor.patience.over:
            monitor.progress.message(f"stopped early after step {step}: {monitor.patience}")
            break
        if step < total and (metrics is not None or due or stop):
            guard.flush(state)  # nothing is saved that came from a loss that is NaN or infinite
            monitor.record.save(state, metrics)
        if stop:
            return Result(Outcome.INTERRUPTED, state, metrics or {})
    guard.flush(state)
    return _conclude(experiment, monitor, state, step, metrics)


def _conclude(
    experiment: Experiment,
    monitor: Monitor,
    state: TrainState,
    step: int,
    metrics: dict[str, float] | None,
) -> Result:
    """Finishes the variables, evaluates what was not evaluated after this step, and saves."""
    if experiment.finish is not None:
        evaluated = jax.device_get(sharding.readable(state.evaluated))
        filled = processes.from_first(functools.partial(experiment.finish, *evaluated))
        state = state.with_evaluated(*filled)
        metrics = None
    if metrics is None:
        metrics = monitor.evaluate(state, step)
        state = monitor.watch(state, step, metrics)
    else:
        metrics = {**metrics, **monitor.evaluate(state, step, at_end=True)}
    monitor.record.save(state, metrics)
    return Result(Outcome.FINISHED, state, metrics)
