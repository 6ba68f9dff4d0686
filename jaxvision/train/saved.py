"""Reading the checkpoints of a run that was trained, was interrupted, or still goes on."""

import math
import pathlib
from logging import LogRecord
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging

from jaxvision.train import step_folders
from jaxvision.train.manifest import DamagedError


class NoCheckpoints(FileNotFoundError):
    """A folder holds no checkpoints."""


class WrongCheckpoint(ValueError):
    """There is no checkpoint of a step, or its layout is of another version."""


class DamagedCheckpoint(WrongCheckpoint):
    """A checkpoint cannot be read."""


def read_checkpoint(
    workdir: pathlib.Path, step: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads the variables of a run, also of one that was interrupted or still goes on.

    Args:
        workdir: The folder of the run; nothing is written to it.
        step: Which checkpoint; by default the one with the best metric, or the newest where none
            was evaluated.

    Returns:
        The variables that evaluation uses, {"params", **model state}, as numpy arrays, and the
        meta.

    Raises:
        NoCheckpoints: If the folder holds no checkpoints.
        WrongCheckpoint: If there is none of that step, its layout is of another version, or, as
            `DamagedCheckpoint`, it cannot be read.
    """
    step, meta = read_meta(workdir, step)
    folder = _directory(workdir) / str(step)
    try:
        step_folders.check(folder)
    except DamagedError as error:
        raise _damaged(workdir, step, error) from error
    try:
        return _variables(folder / "state"), meta
    except Exception as error:  # orbax raises what its storage raises
        raise _damaged(workdir, step, error) from error


def read_meta(workdir: pathlib.Path, step: int | None = None) -> tuple[int, dict[str, Any]]:
    """Reads the step and the meta of a checkpoint alone, chosen as by `read_checkpoint`.

    Raises:
        NoCheckpoints: If the folder holds no checkpoints.
        WrongCheckpoint: If there is none of that step, its layout is of another version, or, as
            `DamagedCheckpoint`, it cannot be read.
    """
    step = _chosen(workdir, step)
    folder = _directory(workdir) / str(step)
    try:
        meta = step_folders.read_meta(folder)
    except DamagedError as error:
        raise _damaged(workdir, step, error) from error
    if problem := step_folders.other_layout(folder, meta):
        raise WrongCheckpoint(problem)
    return step, meta


def _directory(workdir: pathlib.Path) -> pathlib.Path:
    return workdir.absolute() / "checkpoints"


def _chosen(workdir: pathlib.Path, step: int | None) -> int:
    directory = _directory(workdir)
    steps = step_folders.steps(directory)
    if not steps:
        raise NoCheckpoints(_no_checkpoints(directory))
    if step is None:
        return _best(directory, steps)
    if step not in steps:
        known = ", ".join(map(str, steps))
        raise WrongCheckpoint(f"step must be one of {known}, the checkpoints there are, got {step}")
    return step


def _best(directory: pathlib.Path, steps: list[int]) -> int:
    """Returns the step of the best metric; one whose small files are damaged is left out."""
    scores, damaged = {}, []
    for step in steps:
        folder = directory / str(step)
        try:
            step_folders.check(folder, largest=step_folders.SMALL)
            sign = -1.0 if step_folders.read_meta(folder).get("best_direction") == "min" else 1.0
            # The one metric that the run chose; infinitely bad where it was not evaluated.
            values = step_folders.read_metrics(folder).values()
        except DamagedError as error:
            damaged.append(error)
            continue
        scores[step] = max((sign * value for value in values), default=-math.inf)
    if not scores:
        return steps[-1]  # reading it will say how it is damaged
    for error in damaged:
        logging.warning("a damaged checkpoint is left out: %s", error)
    return max(scores, key=lambda step: (scores[step], step))


def _variables(folder: pathlib.Path) -> dict[str, Any]:
    """Reads what evaluation uses of a state, as numpy, so that no device has to be there."""
    logging.get_absl_logger().addFilter(_is_of_use)
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=_only_this_process())
    with ocp.Checkpointer(handler, multiprocessing_options=_only_this_process()) as checkpointer:
        saved = checkpointer.metadata(folder).item_metadata.tree
        wanted = {k: saved[k] for k in (["ema"] if saved.get("ema") else ["params", "model_state"])}
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
        state = checkpointer.restore(
            folder,
            args=ocp.args.PyTreeRestore(item=wanted, restore_args=as_numpy, partial_restore=True),
        )
    average = state.get("ema", state)
    return {"params": average["params"], **average["model_state"]}


def _is_of_use(record: LogRecord) -> bool:
    """Drops a warning of orbax, which seeks in the state what lies in the folder of the step."""
    return "Metadata file does not exist" not in str(record.msg)


def _only_this_process() -> Any:
    """Options with which a process reads without waiting for others, who may not read at all."""
    process = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=process,
        active_processes={process},
        barrier_sync_key_prefix=f"reading_in_{process}",
    )


def _damaged(workdir: pathlib.Path, step: int, error: Exception) -> DamagedCheckpoint:
    return DamagedCheckpoint(
        f"{workdir}: its checkpoint of step {step} cannot be read, as after a copy that was "
        f"interrupted ({step_folders.reason(error)}); name another with --step, or step= in Python"
    )


def _no_checkpoints(directory: pathlib.Path) -> str:
    if (directory.parent / "config.json").exists():
        return (
            f"{directory.parent} has no checkpoint yet: its run was stopped before the first one; "
            "continue it with the command in its command.txt"
        )
    return f"{directory} holds no checkpoints; expected the work directory of a run"
