"""Measuring a model on evaluation data."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import flax.errors
import jax
from clu.metrics import Metric
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch, ModelState, Params, Task
from jaxvision.train import processes
from jaxvision.train.sharding import (
    cut_rows,
    num_processes,
    own_rows,
    put_batch,
    put_key,
    whole,
    with_constants,
)

# Predictions draw from a key of their own: no training step has this number.
_EVALUATION = 2**32 - 1

# Maps (parameters, model state, batch, key) to predictions.
Predict = Callable[..., Any]


class Evaluation(NamedTuple):
    """What an evaluation of one set found.

    Attributes:
        name: Name of the set, as `val`.
        step: Steps made before it.
        metrics: {name: value}, without the name of the set.
        metric: What they were computed from: the task's measures of all batches, merged; in a
            process other than the first those of its own rows.
        predictions: Of the first batch, numpy arrays; in one of several processes its rows.
        batch: The first batch on the host, with `truth` where it has any, and the constants; in one
            of several processes its rows.
    """

    name: str
    step: int
    metrics: dict[str, float]
    metric: Metric
    predictions: Any
    batch: Batch


def compile_predict(task: Task, mesh: Mesh) -> Predict:
    """Compiles a task's `predict`.

    The function takes (params, model state, batch, key) and, with several processes, `rows`: the
    number of examples in the whole batch, which the devices then share in the predictions too, or
    0 if they do not share the batch. It raises ValueError if the variables are not the network's.
    """

    def predict(
        params: Params,
        model_state: ModelState,
        batch: Batch,
        key: jax.Array,
        rows: int | None = None,
    ) -> Any:
        params, model_state = whole((params, model_state), mesh)
        try:
            found = task.predict(params, model_state, batch, key=key)
        except flax.errors.FlaxError as error:
            raise ValueError(
                f"the variables are not those of the network ({str(error).splitlines()[0]}); they "
                "are of another model, or of a run of another version of jaxvision: use that "
                "version, or train again"
            ) from error
        return found if rows is None else cut_rows(found, mesh, rows)

    return jax.jit(predict, static_argnames="rows")


def prediction_key(seed: int, batch_number: int) -> jax.Array:
    """The key that `predict` is given for a batch of a set, numbered from 0."""
    root = jax.random.fold_in(jax.random.key(seed), _EVALUATION)
    return jax.random.fold_in(root, batch_number)


def evaluate(
    task: Task,
    predict: Predict,
    variables: tuple[Params, ModelState],
    batches: Iterable[Mapping[str, Any]],
    mesh: Mesh,
    *,
    seed: int,
    axis: Callable[[str], int | None] = lambda key: 0,
    constants: Mapping[str, Any] | None = None,
    name: str = "val",
    step: int = 0,
) -> Evaluation:
    """Predicts every batch and merges what the task measures.

    Each process measures its rows; the first merges what all of them measured, in their order, and
    tells the others the metrics.

    Args:
        task: Measures the predictions.
        predict: As `compile_predict` makes it of the task.
        variables: Parameters and model state.
        batches: Evaluation batches, at least one.
        mesh: Devices to predict on.
        seed: Of the predictions' randomness; that of the run for the values that it had.
        axis: Axis along which the devices share an array of a batch, as a stream says it.
        constants: Further keys of every batch, on the devices already.
        name: Name of the set.
        step: Steps made before.

    Raises:
        ValueError: If there is no batch.
    """
    several = num_processes(mesh) > 1
    metric, first, pending = None, None, None
    for number, host_batch in enumerate(batches):
        key = put_key(prediction_key(seed, number), mesh)
        placed = put_batch(host_batch, mesh, axis)
        rows = _rows(placed, axis)
        arguments = (*variables, with_constants(placed, constants or {}), key)
        # The devices work on this batch while the host measures the one before.
        predicted = predict(*arguments, rows=rows) if several else predict(*arguments)
        if pending is not None:
            metric, first = _add(task, metric, first, *pending)
        # What the devices do not share is the same in all processes, and counts once.
        counts = bool(rows) or not several or processes.is_first()
        pending = predicted, with_constants(host_batch, constants or {}), counts
    if pending is None:
        raise ValueError(f"evaluation of {name} needs at least one batch, got none")
    metric, first = _add(task, metric, first, *pending)
    if several:
        parts = [part for part in processes.gather(metric) if part is not None]
        if processes.is_first():
            metric = functools.reduce(lambda one, other: one.merge(other), parts)
        metrics = processes.from_first(lambda: _values(metric))
    else:
        metrics = _values(metric)
    return Evaluation(name, step, metrics, metric, *first)


def _values(metric: Any) -> dict[str, float]:
    return {name: float(value) for name, value in metric.compute().items()}


def _rows(batch: Batch, axis: Callable[[str], int | None]) -> int:
    """Counts the rows of a batch that the devices share; 0 if they share none of its arrays."""
    for key, value in batch.items():
        if (place := axis(key)) is not None:
            return value.shape[place]
    return 0


def _add(
    task: Task, metric: Any, first: Any, predictions: Any, batch: Batch, counts: bool
) -> tuple[Any, tuple[Any, Batch]]:
    predictions = own_rows(predictions)
    if counts:
        measured = task.measure(predictions, batch)
        metric = measured if metric is None else metric.merge(measured)
    return metric, first or (predictions, batch)
