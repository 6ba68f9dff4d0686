"""Measuring a model on evaluation data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
from clu.metrics import Metric
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch, ModelState, Params, Task
from jaxvision.train.sharding import put_batch, replicated, whole, with_constants

# Predictions draw from a key of their own: no training step has this number.
_EVALUATION = 2**32 - 1

Predict = Callable[[Params, ModelState, Batch, jax.Array], Any]


class Evaluation(NamedTuple):
    """What an evaluation of one set found.

    Attributes:
        name: Name of the set, as `val`.
        step: Steps made before it.
        metrics: {name: value}, without the name of the set.
        metric: What they were computed from: the task's measures of all batches, merged.
        predictions: Of the first batch, numpy arrays.
        batch: The first batch on the host, with `truth` where it has any, and the constants.
    """

    name: str
    step: int
    metrics: dict[str, float]
    metric: Metric
    predictions: Any
    batch: Batch


def compile_predict(task: Task, mesh: Mesh) -> Predict:
    """Compiles a task's `predict`; the function takes (params, model state, batch, key)."""

    def predict(params: Params, model_state: ModelState, batch: Batch, key: jax.Array) -> Any:
        params, model_state = whole((params, model_state), mesh)
        return task.predict(params, model_state, batch, key=key)

    return jax.jit(predict)


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
    metric, first, pending = None, None, None
    for number, host_batch in enumerate(batches):
        key = jax.device_put(prediction_key(seed, number), replicated(mesh))
        batch = with_constants(put_batch(host_batch, mesh, axis), constants or {})
        # The devices work on this batch while the host measures the one before.
        predicted = predict(*variables, batch, key)
        if pending is not None:
            metric, first = _add(task, metric, first, *pending)
        pending = predicted, with_constants(host_batch, constants or {})
    if pending is None:
        raise ValueError(f"evaluation of {name} needs at least one batch, got none")
    metric, first = _add(task, metric, first, *pending)
    metrics = {k: float(v) for k, v in metric.compute().items()}
    return Evaluation(name, step, metrics, metric, *first)


def _add(
    task: Task, metric: Any, first: Any, predictions: Any, batch: Batch
) -> tuple[Any, tuple[Any, Batch]]:
    predictions = jax.device_get(predictions)
    measured = task.measure(predictions, batch)
    merged = measured if metric is None else metric.merge(measured)
    return merged, first or (predictions, batch)
