"""What a run leaves in its work directory, or nothing where it has none."""

import hashlib
import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging

from jaxvision.data.files import write_whole
from jaxvision.train import processes
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.experiment import Experiment
from jaxvision.train.failed import keep_batch
from jaxvision.train.starts import append_start, changed_data, describe_start, read_starts
from jaxvision.train.state import TrainState
from jaxvision.train.wandb_writer import WandbWriter
from jaxvision.train.writer import MetricWriter, Writer, keep_pictures


class Record:
    """Checkpoints, metrics and pictures of a run.

    All processes write a checkpoint together; the first alone writes the rest.

    Args:
        experiment: Its meta goes into every checkpoint.
        workdir: The folder, made if it is missing; None: nothing is written.
    """

    def __init__(self, experiment: Experiment, workdir: pathlib.Path | None) -> None:
        self.workdir = workdir
        self._writers: list[Writer] = []
        self._wandb = experiment.wandb
        self._config = experiment.meta.get("config", {})
        self._checkpoints: Checkpoints | None = None
        if workdir is not None:
            meta = dict(experiment.meta)
            if experiment.constants:
                meta["constants"] = {k: digest(x) for k, x in experiment.constants.items()}
            self._checkpoints = Checkpoints(
                workdir / "checkpoints", meta=meta, best=experiment.best
            )

    def latest_step(self) -> int | None:
        """Step of the newest checkpoint, or None."""
        return processes.from_first(self._checkpoints.latest_step) if self._checkpoints else None

    def restore(self, like: TrainState) -> TrainState | None:
        """Reads the newest checkpoint that can be read; see `Checkpoints.restore`."""
        return self._checkpoints.restore(like) if self._checkpoints else None

    def save(self, state: TrainState, metrics: Mapping[str, float] | None) -> None:
        """Starts to save a state, with the metrics of its evaluation if there was one."""
        if self._checkpoints:
            self._checkpoints.save(state, metrics)

    def history(self, until: int) -> dict[int, dict[str, float]]:
        """Metrics of the evaluations up to a step, by their steps, in order."""
        if self.workdir is None:
            return {}
        file = self.workdir / "metrics.jsonl"
        found = processes.from_first(lambda: read_evaluations(file, until))
        return dict(sorted(found.items()))

    def last(self, name: str, until: int) -> dict[str, float]:
        """The last record up to a step that has a metric, with its `step`; empty if none has."""
        if self.workdir is None:
            return {}
        file = self.workdir / "metrics.jsonl"
        return processes.from_first(lambda: read_last(file, name, until))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Records metrics of a step."""
        for writer in self._open():
            writer.write(step, metrics)

    def picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Records an RGB picture [H, W, 3] uint8."""
        for writer in self._open():
            writer.picture(step, name, image)

    def keep_pictures(self, steps: Collection[int]) -> None:
        """Deletes the files of pictures of all other steps; TensorBoard keeps them."""
        if self.workdir is not None and processes.is_first():
            keep_pictures(self.workdir, steps)

    def text(self, name: str, text: str) -> None:
        """Writes a file for people."""
        if self.workdir is not None and processes.is_first():
            write_whole(self.workdir / name, text)

    def failed(self, step: int, batch: Mapping[str, Any]) -> str:
        """Keeps the batch of a step that ends the run; returns its file, "" if it is not kept.

        With several processes none has the whole batch.
        """
        if self.workdir is None or jax.process_count() > 1:
            return ""
        try:
            return str(keep_batch(self.workdir, step, batch))
        except OSError:  # the run ends with an error that matters more
            return ""

    def start(self, experiment: Experiment, step: int) -> None:
        """Records how the run is started, to be repeated; warns of data that have changed."""
        if self.workdir is None or not processes.is_first():
            return
        start = describe_start(experiment, step)
        if step and (changed := changed_data(read_starts(self.workdir), start["data"])):
            logging.warning(
                "the run continues on other data than it was last started with: files, annotations "
                "or their order changed in %s",
                ", ".join(changed),
            )
        append_start(self.workdir, start)

    def wait(self) -> None:
        """Returns when every checkpoint is on the disk."""
        if self._checkpoints:
            self._checkpoints.wait()

    def close(self) -> None:
        """Waits and closes the files."""
        for writer in self._writers:
            writer.close()
        if self._checkpoints:
            self._checkpoints.close()

    def _open(self) -> Sequence[Writer]:
        # Not before there is something to write: a run that is finished is not touched.
        if not self._writers and self.workdir is not None and processes.is_first():
            self._writers.append(MetricWriter(self.workdir))
            if self._wandb:
                self._writers.append(WandbWriter(self._wandb, self.workdir, self._config))
        return self._writers


def read_evaluations(file: pathlib.Path, until: int) -> dict[int, dict[str, float]]:
    """Reads {step: {name: value}} of the evaluations in a `metrics.jsonl`, up to a step.

    Of an evaluation that was made twice the last values count.
    """
    found: dict[int, dict[str, float]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            metrics = json.loads(line)
        except ValueError:
            continue  # torn by the end of a process
        step = metrics.pop("step", None)
        if step is not None and step <= until and "train/examples_per_second" not in metrics:
            found.setdefault(step, {}).update(metrics)
    return found


def read_last(file: pathlib.Path, name: str, until: int) -> dict[str, float]:
    """Reads the last line of a `metrics.jsonl` up to a step that has a metric; {} if none has."""
    found: dict[str, float] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        if f'"{name}"' not in line:
            continue
        try:
            metrics = json.loads(line)
        except ValueError:
            continue  # torn by the end of a process
        if metrics.get("step", until + 1) <= until:
            found = metrics
    return found


def digest(tree: Any) -> str:
    """SHA-256 of the names, types, shapes and values of the arrays in a tree."""
    hashed = hashlib.sha256()
    for path, x in jax.tree_util.tree_flatten_with_path(tree)[0]:
        x = np.ascontiguousarray(x)
        hashed.update(f"{jax.tree_util.keystr(path)} {x.dtype} {x.shape} ".encode())
        hashed.update(x.view(np.uint8).data if x.size else b"")
    return hashed.hexdigest()
