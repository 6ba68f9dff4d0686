"""The one loop that runs every task."""

import contextlib
import enum
import itertools
import pathlib
import time
from typing import Any

import jax
import numpy as np

from jaxvision.tasks.task import Batch
from jaxvision.train import overview, sharding
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.evaluate import Evaluation, evaluate
from jaxvision.train.experiment import Experiment
from jaxvision.train.guard import FiniteGuard
from jaxvision.train.interrupt import interruptible
from jaxvision.train.patience import Patience
from jaxvision.train.progress import Progress, duration
from jaxvision.train.state import TrainState, create_state
from jaxvision.train.step import make_step
from jaxvision.train.writer import MetricWriter, table


class Outcome(enum.Enum):
    """How a call of `run` ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"


def run(
    experiment: Experiment, workdir: pathlib.Path, *, meta: dict[str, Any] | None = None
) -> Outcome:
    """Trains an experiment to its end, from its newest checkpoint if there is one.

    Args:
        experiment: What to train.
        workdir: Gets checkpoints, metrics and pictures; a second call with the same folder
            continues.
        meta: JSON stored with every checkpoint.

    Raises:
        TrainingError: If a loss is not finite.
    """
    with contextlib.ExitStack() as stack:
        return _run(experiment, workdir, meta or {}, stack)


def _run(
    experiment: Experiment,
    workdir: pathlib.Path,
    meta: dict[str, Any],
    stack: contextlib.ExitStack,
) -> Outcome:
    started = time.perf_counter()
    mesh = sharding.data_mesh()
    total = experiment.total_steps
    checkpoints = Checkpoints(
        workdir / "checkpoints",
        meta={**meta, "class_names": list(experiment.class_names)},
        best=experiment.best,
    )
    stack.callback(checkpoints.close)
    latest = checkpoints.latest_step()
    if latest is not None and latest >= total:
        print(f"already finished: {workdir} has all {total} steps; more epochs continue it")
        return Outcome.FINISHED
    patience = Patience(experiment.patience, experiment.best, workdir, latest or 0)
    if patience.over:
        print(f"already finished: {workdir}: {patience}; a larger patience continues it")
        return Outcome.FINISHED

    first_eval_batches = list(itertools.islice(experiment.eval_data, 2))
    batches = stack.enter_context(contextlib.closing(experiment.train_data.batches(latest or 0)))
    first_batch = next(batches)
    state = create_state(
        experiment.task,
        experiment.optimizer,
        first_batch,
        seed=experiment.seed,
        ema=experiment.ema is not None,
        sharding=sharding.replicated(mesh),
    )
    restored = checkpoints.restore(state)
    if restored is None and experiment.start_from is not None:
        state = state.start_from(experiment.start_from)
    state = restored or state
    start = int(state.step)
    if start != (latest or 0):  # the newest checkpoint could not be read
        patience = Patience(experiment.patience, experiment.best, workdir, start)
        batches = stack.enter_context(contextlib.closing(experiment.train_data.batches(start)))
        first_batch = next(batches)

    make = experiment.make_step or make_step
    step_function = jax.jit(
        make(experiment.task, experiment.optimizer, experiment.ema),
        out_shardings=sharding.replicated(mesh),
        donate_argnums=0,
    )
    predict = jax.jit(experiment.task.predict)
    key = jax.device_put(jax.random.key(experiment.seed), sharding.replicated(mesh))

    writer = stack.enter_context(contextlib.closing(MetricWriter(workdir)))
    _introduce(
        experiment, state, step_function, sharding.put_batch(first_batch, mesh), key, workdir
    )
    # A wrong data set fails here, in the first minute, and not after the first epoch.
    sanity = evaluate(experiment.task, predict, state.evaluated, first_eval_batches, mesh)
    print(f"evaluation works: {_short(sanity.metrics)} on {len(first_eval_batches)} batches")
    print(f"compiling the step; training from step {start} to {total}", flush=True)

    guard = FiniteGuard(experiment.image_name)
    progress = stack.enter_context(contextlib.closing(Progress(start, total)))
    interrupted = stack.enter_context(interruptible())
    final: dict[str, float] = {}
    window_start, window_step = time.perf_counter(), start
    for step in range(start + 1, total + 1):
        batch = next(batches) if step > start + 1 else first_batch
        state, logs = step_function(state, sharding.put_batch(batch, mesh), key)
        guard.watch(step, batch, logs)
        progress.step(step)

        if step % experiment.log_every == 0 or step in (start + 1, total):
            metrics = {f"train/{k}": float(v) for k, v in jax.device_get(logs).items()}
            now = time.perf_counter()
            images = (step - window_step) * len(next(iter(batch.values())))
            metrics["train/learning_rate"] = float(np.asarray(experiment.learning_rate(step - 1)))
            metrics["train/images_per_second"] = images / (now - window_start)
            window_start, window_step = now, step
            progress.log(step, metrics)
            writer.write(step, metrics)

        evaluated = None
        if step % experiment.eval_every == 0 or step == total:
            guard.flush()
            before = time.perf_counter()
            found = evaluate(experiment.task, predict, state.evaluated, experiment.eval_data, mesh)
            final = evaluated = found.metrics
            _record(experiment, writer, step, found)
            patience.see(evaluated)
            spent = time.perf_counter() - before
            progress.pause(spent)
            window_start += spent
            progress.message(f"step {step}  {_short(evaluated)}  ({duration(spent)})")

        stop = interrupted() and step < total
        if evaluated is not None or step % experiment.save_every == 0 or stop:
            guard.flush()  # nothing is saved that came from a loss that is no number
            checkpoints.save(state, evaluated)
        if stop:
            progress.close()
            checkpoints.wait()
            print(f"stopped after step {step}, which is saved; the same command continues")
            return Outcome.INTERRUPTED
        if patience.over and step < total:
            progress.message(f"stopped early after step {step}: {patience}")
            break
    progress.close()
    checkpoints.wait()
    print(f"\n{table(final)}\n\ndone in {duration(time.perf_counter() - started)}: {workdir}")
    return Outcome.FINISHED


def _introduce(
    experiment: Experiment,
    state: TrainState,
    step_function: Any,
    batch: Batch,
    key: jax.Array,
    workdir: pathlib.Path,
) -> None:
    (workdir / "parameters.txt").write_text(overview.full_parameter_table(state.params) + "\n")
    print(overview.parameter_table(state.params))
    size = len(next(iter(batch.values())))
    flops = overview.operations(step_function.lower(state, batch, key))
    if flops is not None:
        print(f"{flops / size / 1e9:.2f} GFLOPs an image and step, forward and backward")
    devices = jax.local_devices()
    print(
        f"{len(devices)} x {devices[0].device_kind}, batch {size}, "
        f"{experiment.train_data.steps_per_epoch} steps an epoch, "
        f"{experiment.total_steps / experiment.train_data.steps_per_epoch:g} epochs"
    )


def _record(experiment: Experiment, writer: MetricWriter, step: int, found: Evaluation) -> None:
    writer.write(step, {f"val/{k}": v for k, v in found.metrics.items()})
    if experiment.draw is not None:
        writer.picture(step, "predictions", experiment.draw(found.predictions, found.batch))
    if experiment.figures is not None:
        for name, image in experiment.figures(found.metric).items():
            writer.picture(step, name, image)


def _short(metrics: dict[str, float]) -> str:
    return "  ".join(f"{k} {v:.3f}" for k, v in metrics.items() if "/" not in k and v == v)
