"""Checkpoints that survive: asynchronous saves, the newest and the best kept, exact resume."""

import dataclasses
import functools
import logging
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from jaxvision.train import manifest, processes, step_folders
from jaxvision.train.errors import TrainingError
from jaxvision.train.experiment import Best
from jaxvision.train.sharding import replicated
from jaxvision.train.state import LossMean, TrainState

# Optional parts of a state that checkpoints of this layout did not have at first.
_NEWER = ("loss_mean",)
# Replicas share in writing large arrays only: each share of each array is a program of its own,
# and to compile hundreds of them takes longer than one replica needs to write small arrays.
_ARRAYS = ocp.type_handlers.create_type_handler_registry(
    (jax.Array, ocp.type_handlers.ArrayHandler(min_slice_bytes_for_replica_parallel=1 << 24)),
    (np.ndarray, ocp.type_handlers.NumpyHandler()),
)


class Checkpoints:
    """The checkpoints of a run, in a folder `<step>` each, with digests of their files.

    What a killed process has left half written is removed, and a checkpoint with a damaged small
    file is moved aside, to `<step>.unreadable`, before anything is read.

    Args:
        directory: Where they are; made if it is missing.
        meta: JSON stored with each one: recipe, config, info, versions.
        best: The metric whose best checkpoint is kept beside the newest.
        keep: How many of the newest are kept.

    Raises:
        TrainingError: If `directory` is a file.
    """

    def __init__(
        self, directory: pathlib.Path, *, meta: Mapping[str, Any], best: Best | None, keep: int = 2
    ) -> None:
        self._directory = directory.absolute()
        if directory.exists() and not directory.is_dir():
            raise TrainingError(f"expected a folder of checkpoints, got the file {directory}")
        processes.from_first(functools.partial(step_folders.clean, self._directory))
        direction = best.direction if best else "max"
        self._meta = {
            **meta,
            "layout": step_folders.LAYOUT,
            "best_direction": direction,
            step_folders.DIGESTS: True,
        }
        self._saving = 0  # the step that is being written
        self._failed = False
        logging.getLogger("absl").addFilter(_is_not_raised)
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
                "state": ocp.PyTreeCheckpointHandler(type_handler_registry=_ARRAYS),
                "meta": ocp.JsonCheckpointHandler(),
            },
            options=ocp.CheckpointManagerOptions(
                preservation_policy=checkpoint_managers.AnyPreservationPolicy(policies),
                async_options=ocp.AsyncOptions(post_finalization_callback=self._write_manifest),
                **options,
            ),
        )

    def save(self, state: TrainState, metrics: Mapping[str, float] | None = None) -> None:
        """Starts to save a state; returns when it is copied, before it is written.

        Args:
            state: Its `step` names the checkpoint.
            metrics: Of this state by their full names, if it was evaluated.

        Raises:
            TrainingError: If it, or the checkpoint before it, cannot be written.
        """
        score = None
        if self._best is not None:
            # Not evaluated, or without ground truth: worse than any that was.
            worst = -math.inf * self._best.sign
            value = (metrics or {}).get(self._best.name, worst)
            score = {self._best.name: value if math.isfinite(value) else worst}
        args = ocp.args.Composite(
            state=ocp.args.PyTreeSave(_as_tree(state)), meta=ocp.args.JsonSave(self._meta)
        )
        # An error of the checkpoint before is raised here too.
        self._try(self._manager.wait_until_finished)
        self._saving = int(state.step)
        self._try(lambda: self._manager.save(self._saving, args=args, metrics=score))

    def _try(self, write: Callable[[], object]) -> None:
        """Calls what writes to the disk; its error is that of the checkpoint being written."""
        try:
            write()
        except Exception as error:  # orbax raises what its storage raises
            if jax.process_count() > 1:
                raise  # perhaps that another process is lost, which others recognise
            self._failed = True
            raise TrainingError(
                f"the checkpoint of step {self._saving} cannot be written "
                f"({step_folders.reason(error)}); those before it in {self._directory} are whole, "
                "and the same command continues from the newest"
            ) from error

    def _write_manifest(self) -> None:
        """Called in the first process, by the thread that writes, before it renames the folder."""
        (folder,) = self._directory.glob(f"{self._saving}.orbax-checkpoint-tmp*")
        manifest.write(folder)

    def latest_step(self) -> int | None:
        """The newest step there is, or None."""
        return self._manager.latest_step()

    def restore(self, like: TrainState) -> TrainState | None:
        """Reads the newest checkpoint that is whole, or None where there is none at all.

        One that is damaged is moved aside, to `<step>.unreadable`, and the one before is tried.

        Args:
            like: A state of the run or its shapes, for structure and placement. Its rows may have
                another batch size than those saved: then they are None in what is returned. So is
                its mean of the losses if none was saved.

        Raises:
            TrainingError: If all that there are or were are damaged, or the newest has another
                layout, model, optimizer or constants, which is not damage.
        """
        template = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like
        )
        while (step := self._manager.latest_step()) is not None:
            folder = self._directory / str(step)
            try:
                processes.from_first(functools.partial(step_folders.check, folder))
                return self._restore(step, template)
            except TrainingError:
                raise
            except Exception as error:  # orbax raises what its storage raises
                self._check_damage(folder, error)
                processes.from_first(
                    functools.partial(step_folders.set_aside, self._directory, step, error)
                )
                self._manager.reload()
        damaged = processes.from_first(
            functools.partial(step_folders.were_set_aside, self._directory)
        )
        if damaged:
            raise TrainingError(
                f"none of the checkpoints in {self._directory} can be read: {', '.join(damaged)} "
                "are damaged; put back copies of them, or start anew: with another --workdir, or "
                "after deleting this folder"
            )
        return None

    def _restore(self, step: int, template: TrainState) -> TrainState:
        folder = self._directory / str(step)
        meta = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))
        if problem := step_folders.other_layout(folder, meta["meta"]):
            raise TrainingError(problem)
        there, here = meta["meta"].get("constants", {}), self._meta.get("constants", {})
        if changed := sorted(k for k in there | here if there.get(k) != here.get(k)):
            raise TrainingError(
                f"{folder} was trained with other constants: {', '.join(changed)}; start this run "
                "in another work directory, or with the same values"
            )
        saved = self._manager.item_metadata(step)["state"]
        anew, wanted_mean = False, True
        if saved is not None:  # else reading it will say why
            rows = _saved_rows(saved, template.rows)
            anew = _shapes(rows) != _shapes(template.rows)
            wanted_mean = template.loss_mean is not None
            template = _with_saved_mean(saved, template.replace(rows=rows))
            self._check_model(folder, saved, template)
        parts = _as_tree(template)
        placed = ocp.checkpoint_utils.construct_restore_args(parts)
        wanted = ocp.args.PyTreeRestore(parts, restore_args=placed)
        tree = self._manager.restore(step, args=ocp.args.Composite(state=wanted))["state"]
        restored = TrainState(**tree)
        if not wanted_mean:
            restored = restored.replace(loss_mean=None)
        return restored.replace(rows=None) if anew else restored

    def _check_damage(self, folder: pathlib.Path, error: Exception) -> None:
        """Raises an error again that is not about damage: the digests have been compared."""
        if isinstance(error, manifest.DamagedError) or not (folder / manifest.NAME).exists():
            return
        if jax.process_count() > 1:
            raise error  # perhaps that another process is lost, which others recognise
        raise TrainingError(
            f"{folder} cannot be restored, though its files are as they were written "
            f"({step_folders.reason(error)})"
        ) from error

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
        """Returns when everything is on the disk.

        Raises:
            TrainingError: If the last checkpoint cannot be written.
        """
        self._try(self._manager.wait_until_finished)

    def close(self) -> None:
        """Waits and ends the manager's threads.

        Raises:
            TrainingError: If the last checkpoint cannot be written, unless that was said before.
        """
        if not self._failed:  # else they would raise once more, or wait for ever
            self._try(self._manager.close)


def _is_not_raised(record: logging.LogRecord) -> bool:
    """Keeps orbax from logging the traceback of an error that it raises as well."""
    return not (record.exc_info and "orbax" in record.pathname)


def _with_saved_mean(saved: Any, template: TrainState) -> TrainState:
    """Returns the template with a mean of the losses if one was saved, whatever is wanted now."""
    there = any(name.startswith("loss_mean/") for name in _shapes(saved))
    if there == (template.loss_mean is not None):
        return template
    if not there:
        return template.replace(loss_mean=None)
    shapes = jax.eval_shape(LossMean.initial)
    sharding = template.step.sharding
    mean = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)
    return template.replace(loss_mean=mean)


def _as_tree(state: TrainState) -> dict[str, Any]:
    """Returns the parts of a state by name; those that older versions did not have may be absent.

    With a part that is None a checkpoint would have another structure than one without it.
    """
    tree = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return {name: part for name, part in tree.items() if part is not None or name not in _NEWER}


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
