"""Checkpoints that survive: asynchronous saves, the newest and the best kept, exact resume."""

import functools
import math
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint import checkpoint_managers

from jaxvision.train import processes
from jaxvision.train.errors import TrainingError
from jaxvision.train.experiment import Best
from jaxvision.train.sharding import replicated
from jaxvision.train.state import TrainState

# What a checkpoint holds and how its names are chosen; raised when older ones cannot be read.
LAYOUT = 2


class Checkpoints:
    """The checkpoints of a run, in a folder `<step>` each.

    Args:
        directory: Where they are; made if it is missing.
        meta: JSON stored with each one: recipe, config, info, versions.
        best: The metric whose best checkpoint is kept beside the newest.
        keep: How many of the newest are kept.
    """

    def __init__(
        self, directory: pathlib.Path, *, meta: Mapping[str, Any], best: Best | None, keep: int = 2
    ) -> None:
        self._directory = directory.absolute()
        direction = best.direction if best else "max"
        self._meta = {**meta, "layout": LAYOUT, "best_direction": direction}
        policies: list[Any] = [checkpoint_managers.LatestN(keep)]
        options: dict[str, Any] = {}
        if best is not None:

            def score(metrics: dict[str, float]) -> float:
                return metrics.get(best.name, -math.inf * best.sign)

            policies.append(
                checkpoint_managers.BestN(
                    get_metric_fn=score,
                    n=1,
                    reverse=best.direction == "min",
                    keep_checkpoints_without_metrics=False,
                )
            )
            # Without best_fn no metric reaches the disk, and the best step goes after a restart.
            options = {"best_fn": score, "best_mode": best.direction}
        self._best = best
        self._manager = ocp.CheckpointManager(
            self._directory,
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "meta": ocp.JsonCheckpointHandler(),
            },
            options=ocp.CheckpointManagerOptions(
                preservation_policy=checkpoint_managers.AnyPreservationPolicy(policies), **options
            ),
        )

    def save(self, state: TrainState, metrics: Mapping[str, float] | None = None) -> None:
        """Starts to save a state; returns when it is copied, before it is written.

        Args:
            state: Its `step` names the checkpoint.
            metrics: Of this state by their full names, if it was evaluated.
        """
        score = None
        if self._best is not None:
            # Not evaluated, or without ground truth: worse than any that was.
            worst = -math.inf * self._best.sign
            value = (metrics or {}).get(self._best.name, worst)
            score = {self._best.name: value if math.isfinite(value) else worst}
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(self._meta)
            ),
            metrics=score,
        )

    def latest_step(self) -> int | None:
        """The newest step there is, or None."""
        return self._manager.latest_step()

    def restore(self, like: TrainState) -> TrainState | None:
        """Reads the newest checkpoint that can be read, or None where there is none.

        One that cannot be read is moved aside, to `<step>.unreadable`, and the one before is tried.

        Args:
            like: A state of the run or its shapes, for structure and placement. Its rows may have
                another batch size than those saved: then they are None in what is returned.

        Raises:
            TrainingError: If the newest has another layout, model, optimizer or constants, which is
                not damage.
        """
        template = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like
        )
        while (step := self._manager.latest_step()) is not None:
            try:
                return self._restore(step, template)
            except TrainingError:
                raise
            except Exception as error:  # orbax raises what its storage raises
                aside = self._directory / f"{step}.unreadable"
                processes.from_first(functools.partial(_move, self._directory / str(step), aside))
                logging.warning(
                    "checkpoint %d cannot be read (%s); it is now %s, trying the one before",
                    step,
                    str(error).splitlines()[0] if str(error) else type(error).__name__,
                    aside,
                )
                self._manager.reload()
        return None

    def _restore(self, step: int, template: TrainState) -> TrainState:
        folder = self._directory / str(step)
        meta = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))
        if problem := _other_layout(folder, meta["meta"]):
            raise TrainingError(problem)
        there, here = meta["meta"].get("constants", {}), self._meta.get("constants", {})
        if changed := sorted(k for k in there | here if there.get(k) != here.get(k)):
            raise TrainingError(
                f"{folder} was trained with other constants: {', '.join(changed)}; start this run "
                "in another work directory, or with the same values"
            )
        saved = self._manager.item_metadata(step)["state"]
        anew = False
        if saved is not None:  # else reading it will say why
            rows = _saved_rows(saved, template.rows)
            anew = _shapes(rows) != _shapes(template.rows)
            template = template.replace(rows=rows)
            self._check_model(folder, saved, template)
        restored = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(template))
        )["state"]
        return restored.replace(rows=None) if anew else restored

    def _check_model(self, folder: pathlib.Path, saved: Any, template: TrainState) -> None:
        there, here = _shapes(saved), _shapes(template)
        differ = [name for name in there | here if there.get(name) != here.get(name)]
        if not differ:
            return
        # Parameters first: the optimizer's state and the average repeat what they say.
        differ.sort(key=lambda name: (not name.startswith("params/"), name))
        lines = [f"  {k}: {there.get(k, 'none')} there, {here.get(k, 'none')} now" for k in differ]
        if len(lines) > 10:
            lines[10:] = [f"  and {len(lines) - 10} more"]
        raise TrainingError(
            f"{folder} is of another model or optimizer: {_count(there)} there, "
            f"{_count(here)} now\n"
            + "\n".join(lines)
            + "\nstart this run in another work directory, or with the values of that one"
        )

    def wait(self) -> None:
        """Returns when everything is on the disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and ends the manager's threads."""
        self._manager.close()


def _move(folder: pathlib.Path, aside: pathlib.Path) -> None:
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)


class NoCheckpoints(FileNotFoundError):
    """A folder holds no checkpoints."""


class WrongCheckpoint(ValueError):
    """There is no checkpoint of a step, or its layout is of another version."""


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
        WrongCheckpoint: If there is none of that step, or its layout is of another version.
    """
    with _reading(workdir) as manager:
        step = _chosen(manager, step)
        meta = _meta(manager, step)
        saved = manager.item_metadata(step)["state"].tree
        wanted = {k: saved[k] for k in (["ema"] if saved.get("ema") else ["params", "model_state"])}
        # As numpy, so that the devices of the run do not have to be there.
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
        restored = manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeRestore(
                    item=wanted, restore_args=as_numpy, partial_restore=True
                )
            ),
        )
    state = restored["state"]
    average = state.get("ema", state)
    return {"params": average["params"], **average["model_state"]}, meta


def read_meta(workdir: pathlib.Path, step: int | None = None) -> tuple[int, dict[str, Any]]:
    """Reads the step and the meta of a checkpoint alone, chosen as by `read_checkpoint`.

    Raises:
        NoCheckpoints: If the folder holds no checkpoints.
        WrongCheckpoint: If there is none of that step, or its layout is of another version.
    """
    with _reading(workdir) as manager:
        step = _chosen(manager, step)
        return step, _meta(manager, step)


def _reading(workdir: pathlib.Path) -> ocp.CheckpointManager:
    directory = workdir.absolute() / "checkpoints"
    if not directory.is_dir():
        raise NoCheckpoints(_no_checkpoints(directory))
    handlers = {"state": ocp.PyTreeCheckpointHandler(), "meta": ocp.JsonCheckpointHandler()}
    # No `read_only`, which logs two warnings: without `create` nothing is written either.
    options = ocp.CheckpointManagerOptions(
        create=False, multiprocessing_options=_only_this_process()
    )
    return ocp.CheckpointManager(directory, item_handlers=handlers, options=options)


def _only_this_process() -> Any:
    """Options with which a process reads without waiting for others, who may not read at all."""
    process = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=process,
        active_processes={process},
        barrier_sync_key_prefix=f"reading_in_{process}",
    )


def _chosen(manager: ocp.CheckpointManager, step: int | None) -> int:
    steps = sorted(manager.all_steps())
    if not steps:
        raise NoCheckpoints(_no_checkpoints(pathlib.Path(manager.directory)))
    if step is None:
        sign = -1.0 if _meta(manager, steps[-1]).get("best_direction") == "min" else 1.0

        def score(step: int) -> tuple[float, int]:
            # The one metric that the run chose; infinitely bad where it was not evaluated.
            values = (manager.metrics(step) or {}).values()
            return max((sign * value for value in values), default=-math.inf), step

        return max(steps, key=score)
    if step not in steps:
        known = ", ".join(map(str, steps))
        raise WrongCheckpoint(f"step must be one of {known}, the checkpoints there are, got {step}")
    return step


def _meta(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    restored: Any = manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))
    if problem := _other_layout(pathlib.Path(manager.directory) / str(step), restored["meta"]):
        raise WrongCheckpoint(problem)
    return restored["meta"]


def _no_checkpoints(directory: pathlib.Path) -> str:
    if (directory.parent / "config.json").exists():
        return (
            f"{directory.parent} has no checkpoint yet: its run was stopped before the first one; "
            "continue it with the command in its command.txt"
        )
    return f"{directory} holds no checkpoints; expected the work directory of a run"


def _other_layout(folder: pathlib.Path, meta: Mapping[str, Any]) -> str:
    layout = meta.get("layout", 1)
    if layout == LAYOUT:
        return ""
    age = "newer" if layout > LAYOUT else "older"
    return (
        f"{folder} was written by {'a' if age == 'newer' else 'an'} {age} version of jaxvision "
        f"(layout {layout}, this version reads {LAYOUT}); use that version, or train again"
    )


def _saved_rows(saved: Any, rows: Any) -> Any:
    """Returns the template of the rows with as many rows as were saved."""
    there = _shapes(saved)

    def as_saved(path: Any, x: Any) -> jax.ShapeDtypeStruct:
        name = f"rows/{jax.tree_util.keystr(path, simple=True, separator='/')}"
        # Rows of another shape are of another model, which the comparison of all shapes will say.
        if name not in there or there[name] == x.shape or there[name][1:] != x.shape[1:]:
            return x
        # Read to be dropped, with a batch size that may not be a multiple of the devices.
        return jax.ShapeDtypeStruct(there[name], x.dtype, sharding=replicated(x.sharding.mesh))

    return jax.tree_util.tree_map_with_path(as_saved, rows)


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(x.shape) for path, x in leaves
    }


def _count(shapes: dict[str, tuple[int, ...]]) -> str:
    params = [shape for name, shape in shapes.items() if name.startswith("params/")]
    return f"{len(params)} arrays of {sum(map(math.prod, params)):,} parameters"
