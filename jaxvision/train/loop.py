"""The one loop that runs every task."""

import contextlib
import dataclasses
import enum
import itertools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch
from jaxvision.train import overview, sharding
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.compiled import CompiledStep
from jaxvision.train.evaluate import Evaluation, evaluate
from jaxvision.train.experiment import Experiment
from jaxvision.train.guard import FiniteGuard
from jaxvision.train.interrupt import interruptible
from jaxvision.train.patience import Patience
from jaxvision.train.progress import Progress, duration
from jaxvision.train.state import TrainState, create_state
from jaxvision.train.step import make_step
from jaxvision.train.workdir import keep_files
from jaxvision.train.writer import MetricWriter, table


class Outcome(enum.Enum):
    """How a call of `run` ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclasses.dataclass(frozen=True)
class _Setting:
    """What stays the same from step to step."""

    mesh: Mesh
    checkpoints: Checkpoints
    writer: MetricWriter
    progress: Progress
    predict: Callable[..., Any]
    key: jax.Array


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
        TrainingError: If a loss is not finite, or the experiment's files are not those there.
    """
    started = time.perf_counter()
    total = experiment.total_steps
    keep_files(workdir, experiment.files)
    with contextlib.ExitStack() as stack:
        checkpoints = Checkpoints(
            workdir / "checkpoints",
            meta={
                **(meta or {}),
                "class_names": list(experiment.class_names),
                "files": dict(experiment.files),
            },
            best=experiment.best,
        )
        stack.callback(checkpoints.close)
        latest = checkpoints.latest_step() or 0
        if latest >= total:
            print(f"already finished: {workdir} has all {total} steps; more epochs continue it")
            return Outcome.FINISHED
        patience = Patience(experiment.patience, experiment.best, workdir, latest)
        if patience.over:
            print(f"already finished: {workdir}: {patience}; a larger patience continues it")
            return Outcome.FINISHED

        mesh = sharding.data_mesh()
        first_eval_batches = list(itertools.islice(experiment.eval_data, 2))
        batches = stack.enter_context(contextlib.closing(experiment.train_data.batches(latest)))
        first_batch = next(batches)
        state = _state(experiment, first_batch, checkpoints, mesh)
        start = int(state.step)
        if start != latest:  # the newest checkpoint could not be read
            patience = Patience(experiment.patience, experiment.best, workdir, start)
            batches = stack.enter_context(contextlib.closing(experiment.train_data.batches(start)))
            first_batch = next(batches)
        _introduce(experiment, state, first_batch, workdir)

        def predict(params: Any, model_state: Any, batch: Batch) -> Any:
            params, model_state = sharding.whole((params, model_state), mesh)
            return experiment.task.predict(params, model_state, batch)

        setting = _Setting(
            mesh=mesh,
            checkpoints=checkpoints,
            writer=stack.enter_context(contextlib.closing(MetricWriter(workdir))),
            progress=Progress(start, total),
            predict=jax.jit(predict),
            key=jax.device_put(jax.random.key(experiment.seed), sharding.replicated(mesh)),
        )
        # A wrong data set fails here, in the first minute, and not after the first epoch.
        sanity = evaluate(
            experiment.task, setting.predict, state.evaluated, first_eval_batches, mesh
        )
        print(f"evaluation works: {_short(sanity.metrics)} on {len(first_eval_batches)} batches")
        print(f"training from step {start} to {total}", flush=True)

        stack.enter_context(contextlib.closing(setting.progress))
        interrupted = stack.enter_context(interruptible())
        batches = itertools.chain([first_batch], batches)
        final = _train(experiment, setting, state, start, batches, patience, interrupted)
        setting.progress.close()
        checkpoints.wait()
        if final is None:
            return Outcome.INTERRUPTED
        print(f"\n{table(final)}\n\ndone in {duration(time.perf_counter() - started)}: {workdir}")
        return Outcome.FINISHED


def _state(
    experiment: Experiment, batch: Batch, checkpoints: Checkpoints, mesh: Mesh
) -> TrainState:
    """Returns the newest saved state, or a fresh one."""
    state = create_state(
        experiment.task,
        experiment.optimizer,
        batch,
        seed=experiment.seed,
        ema=experiment.ema is not None,
        mesh=mesh,
        state_sharding=experiment.state_sharding,
    )
    restored = checkpoints.restore(state)
    if restored is None and experiment.start_from is not None:
        return state.start_from(experiment.start_from)
    return restored or state


def _train(
    experiment: Experiment,
    setting: _Setting,
    state: TrainState,
    start: int,
    batches: Iterator[Batch],
    patience: Patience,
    interrupted: Callable[[], bool],
) -> dict[str, float] | None:
    """Makes the steps; returns the metrics after the last, or None if it was interrupted."""
    progress, writer, total = setting.progress, setting.writer, experiment.total_steps
    make = experiment.make_step or make_step
    step_function = CompiledStep(
        make(experiment.task, experiment.optimizer, experiment.ema), setting.mesh, progress.message
    )
    guard = FiniteGuard(experiment.image_name)
    window_start, window_step = time.perf_counter(), start

    for step, host_batch in enumerate(itertools.islice(batches, total - start), start + 1):
        batch = sharding.put_batch(host_batch, setting.mesh)
        compiling = step_function.prepare(state, batch, setting.key)
        progress.pause(compiling)
        window_start += compiling
        state, logs = step_function(state, batch, setting.key)
        guard.watch(step, host_batch, logs)
        progress.step(step)

        evaluated = None
        if step % experiment.log_every == 0 or step in (start + 1, total):
            metrics = {f"train/{k}": float(v) for k, v in jax.device_get(logs).items()}
            seconds = time.perf_counter() - window_start
            images = (step - window_step) * len(next(iter(host_batch.values())))
            metrics["train/learning_rate"] = float(np.asarray(experiment.learning_rate(step - 1)))
            metrics["train/images_per_second"] = images / seconds
            window_start, window_step = time.perf_counter(), step
            progress.log(step, metrics)
            writer.write(step, metrics)

        if step % experiment.eval_every == 0 or step == total:
            guard.flush()
            before = time.perf_counter()
            found = evaluate(
                experiment.task,
                setting.predict,
                state.evaluated,
                experiment.eval_data,
                setting.mesh,
            )
            evaluated = found.metrics
            _record(experiment, writer, step, found)
            patience.see(evaluated)
            spent = time.perf_counter() - before
            progress.pause(spent)
            window_start += spent
            told = f"step {step}  {_short(evaluated)}  ({duration(spent)})"
            examples = experiment.show(found.predictions, found.batch)
            progress.message("\n".join([told, *examples]))

        stop = interrupted() and step < total
        epoch_ends = step % experiment.train_data.steps_per_epoch == 0 or step == total or stop
        if epoch_ends and (note := experiment.epoch_report()):
            progress.message(f"step {step}  {note}")

        if evaluated is not None or step % experiment.save_every == 0 or stop:
            guard.flush()  # nothing is saved that came from a loss that is no number
            setting.checkpoints.save(state, evaluated)
        if step == total:
            return evaluated
        if patience.over:
            progress.message(f"stopped early after step {step}: {patience}")
            return evaluated
        if stop:
            progress.close()
            setting.checkpoints.wait()
            print(f"stopped after step {step}, which is saved; the same command continues")
            return None
    return None


def _introduce(
    experiment: Experiment, state: TrainState, batch: Batch, workdir: pathlib.Path
) -> None:
    (workdir / "parameters.txt").write_text(overview.full_parameter_table(state.params) + "\n")
    print(overview.parameter_table(state.params))
    devices = jax.local_devices()
    print(
        f"{len(devices)} x {devices[0].device_kind}, batch {len(next(iter(batch.values())))}, "
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
