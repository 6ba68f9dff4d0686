"""Measuring a model on the evaluation data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from clu.metrics import Metric
from jax.sharding import Mesh

from jaxvision.tasks.task import Batch, Task
from jaxvision.train.sharding import put_batch


class Evaluation(NamedTuple):
    """What an evaluation found.

    Attributes:
        metrics: {name: value}.
        metric: What they were computed from: the task's measure of all batches, merged.
        predictions: Of the first batch, numpy arrays.
        batch: The first batch.
    """

    metrics: dict[str, float]
    metric: Metric
    predictions: Any
    batch: Batch


def evaluate(
    task: Task,
    predict: Callable[..., Any],
    variables: tuple[Any, Any],
    batches: Iterable[Mapping[str, np.ndarray]],
    mesh: Mesh,
) -> Evaluation:
    """Predicts every batch and merges what the task measures.

    Args:
        task: Measures the predictions.
        predict: The task's `predict`, compiled.
        variables: Parameters and model state.
        batches: Evaluation batches of one shape, at least one.
        mesh: Devices to predict on.
    """
    metric = None
    first = None
    pending = None
    for batch in batches:
        # The devices work on this batch while the host measures the one before.
        predicted = predict(*variables, put_batch(batch, mesh))
        if pending is not None:
            metric, first = _add(task, metric, first, *pending)
        pending = predicted, batch
    if pending is None:
        raise ValueError("evaluation needs at least one batch, got none")
    metric, first = _add(task, metric, first, *pending)
    return Evaluation({k: float(v) for k, v in metric.compute().items()}, metric, *first)


def _add(
    task: Task, metric: Any, first: Any, predictions: Any, batch: Batch
) -> tuple[Any, tuple[Any, Batch]]:
    predictions = jax.device_get(predictions)
    measured = task.measure(predictions, batch)
    merged = measured if metric is None else metric.merge(measured)
    return merged, first or (predictions, batch)
