"""Checkpoints that survive: asynchronous saves, the newest and the best kept, exact resume."""

import math
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint import checkpoint_managers

from jaxvision.train.errors import TrainingError
from jaxvision.train.state import TrainState


class Checkpoints:
    """The checkpoints of a run, in a folder `<step>` each.

    Args:
        directory: Where they are; made if it is missing.
        meta: JSON stored with each one: class names, config, versions.
        best: Name of the metric whose best checkpoint is kept beside the newest, higher is better.
        keep: How many of the newest are kept.
    """

    def __init__(
        self, directory: pathlib.Path, *, meta: dict[str, Any], best: str | None, keep: int = 2
    ) -> None:
        self._directory = directory.absolute()
        self._meta = meta
        policies: list[Any] = [checkpoint_managers.LatestN(keep)]
        options: dict[str, Any] = {}
        if best is not None:

            def score(metrics: dict[str, float]) -> float:
                return metrics[best]

            policies.append(
                checkpoint_managers.BestN(
                    get_metric_fn=score, n=1, keep_checkpoints_without_metrics=False
                )
            )
            # Without best_fn no metric reaches the disk, and the best step goes after a restart.
            options = {"best_fn": score, "best_mode": "max"}
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

    def save(self, state: TrainState, metrics: dict[str, float] | None = None) -> None:
        """Starts to save a state; returns when it is copied, before it is written.

        Args:
            state: Its `step` names the checkpoint.
            metrics: Of this state, if it was evaluated.
        """
        score = None
        if self._best is not None:
            # Not evaluated, or without ground truth: worse than any that was.
            score = (metrics or {}).get(self._best, -math.inf)
            score = {self._best: score if math.isfinite(score) else -math.inf}
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
            like: A state of the run, for structure, shapes and placement.

        Raises:
            TrainingError: If the newest is of another model or optimizer, which is no damage.
        """
        template = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like
        )
        while (step := self._manager.latest_step()) is not None:
            try:
                self._refuse_another_model(step, template)
                restored = self._manager.restore(
                    step, args=ocp.args.Composite(state=ocp.args.StandardRestore(template))
                )
                return restored["state"]
            except TrainingError:
                raise
            except Exception as error:  # orbax raises what its storage raises
                aside = self._directory / f"{step}.unreadable"
                shutil.rmtree(aside, ignore_errors=True)
                (self._directory / str(step)).rename(aside)
                logging.warning(
                    "checkpoint %d cannot be read (%s); it is now %s, trying the one before",
                    step,
                    str(error).splitlines()[0] if str(error) else type(error).__name__,
                    aside,
                )
                self._manager.reload()
        return None

    def _refuse_another_model(self, step: int, template: Any) -> None:
        saved = self._manager.item_metadata(step)["state"]
        if saved is None:  # reading it will say why
            return
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
            f"{self._directory / str(step)} is of another model or optimizer: "
            f"{_count(there)} there, {_count(here)} now\n"
            + "\n".join(lines)
            + "\nstart this one in another work directory, or as that one was started"
        )

    def wait(self) -> None:
        """Returns when everything is on the disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and ends the manager's threads."""
        self._manager.close()


def read_checkpoint(
    workdir: pathlib.Path, step: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads what a run made, without the run: also one that was interrupted or still goes on.

    Args:
        workdir: The folder of the run; nothing is written to it.
        step: Which checkpoint; by default the one with the best metric, or the newest where none
            was evaluated.

    Returns:
        The variables that evaluation uses, {"params", **model state}, as numpy arrays, and the
        meta.

    Raises:
        FileNotFoundError: If the folder holds no checkpoints.
        ValueError: If there is none of that step.
    """
    directory = workdir.absolute() / "checkpoints"
    absent = f"{directory} holds no checkpoints; expected the work directory of a run"
    if not directory.is_dir():
        raise FileNotFoundError(absent)
    handlers = {"state": ocp.PyTreeCheckpointHandler(), "meta": ocp.JsonCheckpointHandler()}
    # No `read_only`, which logs two warnings: without `create` nothing is written either.
    options = ocp.CheckpointManagerOptions(create=False)
    with ocp.CheckpointManager(directory, item_handlers=handlers, options=options) as manager:
        steps = sorted(manager.all_steps())
        if not steps:
            raise FileNotFoundError(absent)

        def score(step: int) -> tuple[float, int]:
            # The one metric that the run chose; minus infinity where it was not evaluated.
            return max((manager.metrics(step) or {}).values(), default=-math.inf), step

        if step is None:
            step = max(steps, key=score)
        if step not in steps:
            known = ", ".join(map(str, steps))
            raise ValueError(f"step must be one of {known}, the checkpoints there are, got {step}")
        saved = manager.item_metadata(step)["state"].tree
        wanted = {k: saved[k] for k in (["ema"] if saved.get("ema") else ["params", "model_state"])}
        # As numpy, so that the devices of the run do not have to be there.
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
        restored = manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeRestore(
                    item=wanted, restore_args=as_numpy, partial_restore=True
                ),
                meta=ocp.args.JsonRestore(),
            ),
        )
    state = restored["state"]
    average = state.get("ema", state)
    return {"params": average["params"], **average["model_state"]}, restored["meta"]


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(x.shape) for path, x in leaves
    }


def _count(shapes: dict[str, tuple[int, ...]]) -> str:
    params = [shape for name, shape in shapes.items() if name.startswith("params/")]
    return f"{len(params)} arrays of {sum(map(math.prod, params)):,} parameters"
