"""Evaluations, the log and early stopping of a run."""

import itertools
import pathlib
import shlex
import time
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch
from jaxvision.train import overview, processes
from jaxvision.train.evaluate import Evaluation, compile_predict, evaluate
from jaxvision.train.experiment import Batches, Experiment, Report
from jaxvision.train.patience import Patience
from jaxvision.train.progress import Progress, Speed, duration
from jaxvision.train.record import Record
from jaxvision.train.sharding import readable
from jaxvision.train.state import TrainState
from jaxvision.train.writer import table

# Relative change of the learning rate between two runs of one schedule that is a warning.
_JUMP = 0.1


class Monitor:
    """Measures a run, and shows and records what it finds.

    Args:
        experiment: The run.
        mesh: Devices to predict on.
        constants: Those of the experiment, on the devices.
        record: Gets metrics and pictures.
        patience: Decides on early stopping.
        progress: Shows how far the run is.
    """

    def __init__(
        self,
        experiment: Experiment,
        mesh: Mesh,
        constants: Mapping[str, Any],
        record: Record,
        patience: Patience,
        progress: Progress,
    ) -> None:
        self._experiment = experiment
        self._mesh = mesh
        self._constants = constants
        self.record = record
        self.patience = patience
        self._predict = compile_predict(experiment.task, mesh)
        self._speed = Speed()
        self.progress = progress
        self._last: dict[str, float] = {}  # the watched metric of the last evaluation

    def introduce(self, state: TrainState, batch: Batch) -> None:
        """Shows the size of the model and of the run."""
        experiment = self._experiment
        everything = overview.full_parameter_table(readable(state.params))
        self.record.text("parameters.txt", f"{everything}\n")
        self.record.start(experiment, int(state.step))
        print(overview.parameter_table(state.params, experiment.freeze))
        devices, count = jax.devices(), jax.process_count()
        epoch = experiment.train_data.steps_per_epoch
        print(
            f"{len(devices)} x {devices[0].device_kind}"
            f"{f' in {count} processes' if count > 1 else ''}, "
            f"batches of {experiment.train_data.rows(batch)} examples, {epoch} steps per epoch, "
            f"{experiment.total_steps / epoch:g} epochs"
        )
        if self.record.workdir:
            print(f"everything goes to {self.record.workdir}")

    def check_rate(self, step: int) -> None:
        """Warns of a learning rate that jumps where a run continues with another schedule."""
        name = "train/learning_rate"
        logged = self.record.last(name, step) if step else {}
        if not logged:
            return
        step, before = int(logged["step"]), logged[name]
        rate = float(np.asarray(self._experiment.learning_rate(step - 1)))
        now = rate * logged.get("train/plateau_scale", 1.0)
        if abs(now - before) > _JUMP * max(abs(before), abs(now)):
            self.progress.message(
                f"warning: the learning rate jumps at step {step}, from {before:.4g} to {now:.4g}, "
                "for the schedule has another length or other values than before"
            )

    def check_evaluation(self, state: TrainState) -> None:
        """Evaluates two batches of each set: a wrong one fails now, not after the first epoch.

        Raises:
            ValueError: If `best` names none of the metrics.
        """
        started, known = time.perf_counter(), []
        sets = self._experiment.eval_data
        for name, (data, at_end) in sets.items():
            batches = list(itertools.islice(data, 2))
            found = self._evaluation(state, int(state.step), name, batches)
            known += [f"{name}/{k}" for k in found.metrics if not at_end]
        best = self._experiment.best
        if best is not None and best.name not in known:
            raise ValueError(f"best must be one of {', '.join(known[:20])}, got {best.name}")
        print(f"evaluation of {', '.join(sets)}: works")
        self.pause(time.perf_counter() - started)

    def evaluate(
        self, state: TrainState, step: int, at_end: bool | None = None
    ) -> dict[str, float]:
        """Evaluates sets and shows and records what it finds.

        Args:
            state: What to evaluate.
            step: Steps made.
            at_end: Whether the sets that are evaluated at the end alone, or those that are
                evaluated each time; None for all.

        Returns:
            Metrics by their full names.
        """
        before = time.perf_counter()
        metrics = {}
        for name, (data, ends) in self._experiment.eval_data.items():
            if at_end is not None and at_end != ends:
                continue
            started = time.perf_counter()
            found = self._evaluation(state, step, name, data)
            metrics |= {f"{name}/{k}": v for k, v in found.metrics.items()}
            if processes.is_first():
                self._show(found, time.perf_counter() - started)
            self.show_faults(step, data)
        if metrics:
            self.record.write(step, metrics)
        self.pause(time.perf_counter() - before)
        return metrics

    def watch(self, state: TrainState, step: int, metrics: Mapping[str, float]) -> TrainState:
        """Updates what depends on an evaluation: early stopping, the plateau, kept pictures."""
        self.patience.update(step, metrics)
        best, plateau = self._experiment.best, self._experiment.plateau
        if best is not None and best.name in metrics:
            self._last = {best.name: metrics[best.name]}
        self.record.keep_pictures({step, self.patience.best_step or step})
        if plateau is None or best is None or state.plateau is None:
            return state
        new = plateau.update(state.plateau, best.sign * metrics.get(best.name, float("nan")))
        if (scale := float(new.scale)) != float(state.plateau.scale):
            self.progress.message(
                f"{best.name} stopped improving: the learning rate is scaled by {scale:.3g}"
            )
        return state.replace(plateau=new)

    def count(self, step: int, examples: int) -> None:
        """Takes a step into account."""
        self.progress(step)
        self._speed.add(examples)

    def pause(self, seconds: float) -> None:
        """Leaves time that was not spent on training out of speed and estimates."""
        self.progress.pause(seconds)
        self._speed.pause(seconds)

    def log(self, step: int, logs: Mapping[str, jax.Array]) -> None:
        """Shows and records losses, learning rate and speed."""
        metrics = {f"train/{k}": float(v) for k, v in jax.device_get(logs).items()}
        rate = float(np.asarray(self._experiment.learning_rate(step - 1)))
        metrics["train/learning_rate"] = rate * metrics.get("train/plateau_scale", 1.0)
        metrics["train/examples_per_second"] = self._speed.take()
        steps = self._experiment.train_data.steps_per_epoch
        epochs = -(-self._experiment.total_steps // steps)
        epoch = f"epoch {min(-(-step // steps), epochs)}/{epochs}"
        self.progress.log(step, epoch, {**metrics, **self._last})
        self.record.write(step, metrics)

    def show_faults(self, step: int, data: Batches) -> None:
        """Shows which examples a stream has skipped, if any."""
        for faults in filter(None, processes.gather(data.faults())):
            self.progress.message(f"step {step}  {faults}")

    def show_result(self, metrics: Mapping[str, float], seconds: float) -> None:
        """Shows the metrics at the end."""
        workdir = self.record.workdir
        shown = table(metrics, tuple(self._experiment.eval_data))
        lines = [f"\n{shown}\n", f"done in {duration(seconds)}{f': {workdir}' if workdir else ''}"]
        for name, value in self.patience.best.items():
            lines.append(f"best: {name} {value:.4g} at step {self.patience.best_step}")
        if workdir:
            if any((workdir / "plots").glob("*.png")):
                lines.append(f"pictures: {workdir / 'plots'}")
            if "recipe" in self._experiment.meta:
                lines.append(f"next: jaxvision evaluate {shown_path(workdir)}")
        print("\n".join(lines))

    def _evaluation(
        self, state: TrainState, step: int, name: str, batches: Iterable[Mapping[str, Any]]
    ) -> Evaluation:
        return evaluate(
            self._experiment.task,
            self._predict,
            state.evaluated,
            batches,
            self._mesh,
            seed=self._experiment.seed,
            axis=self._experiment.eval_data[name].data.axis,
            constants=self._constants,
            name=name,
            step=step,
        )

    def _show(self, found: Evaluation, seconds: float) -> None:
        report = self._experiment.report(found) if self._experiment.report else Report()
        for name, image in report.pictures.items():
            self.record.picture(found.step, f"{found.name}/{name}", image)
        line = f"step {found.step}  {found.name}: {_short(found.metrics)}  ({duration(seconds)})"
        self.progress.message("\n".join([line, *report.lines]))


def say_already_finished(
    experiment: Experiment, workdir: pathlib.Path | None, step: int, patience: Patience
) -> None:
    """Says why a run that is started again does nothing."""
    if step >= experiment.total_steps:
        why = f"has all {experiment.total_steps} steps; more epochs continue it"
    else:
        why = f"stopped early, {patience}; a larger patience continues it"
    print(f"already finished: {workdir} {why}")


def shown_path(path: pathlib.Path) -> str:
    """Writes a path for a command line, relative where it is below the current folder."""
    here = pathlib.Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _short(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{k} {v:.3f}" for k, v in metrics.items() if "/" not in k and v == v)
