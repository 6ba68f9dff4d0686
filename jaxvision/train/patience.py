"""Early stopping: when a run does not get better any more."""

import math
from collections.abc import Mapping

from jaxvision.train.experiment import Best


class Patience:
    """Counts evaluations since the best one; those before a resume are read from the metrics.

    So nothing of it is stored with a checkpoint: `metrics.jsonl` says it already.
    """

    def __init__(
        self,
        limit: int | None,
        best: Best | None,
        history: Mapping[int, Mapping[str, float]] | None = None,
    ) -> None:
        """Counts the evaluations of a run so far.

        Args:
            limit: Evaluations in a row without a better value after which it is over; None for
                never.
            best: The metric.
            history: Metrics of the evaluations before, by their steps, in order.
        """
        self._limit = limit
        self._metric = best
        self._best = math.nan
        self._since = 0
        self.best_step: int | None = None  # that of the best evaluation
        for step, metrics in (history or {}).items():
            self.update(step, metrics)

    def update(self, step: int, metrics: Mapping[str, float]) -> None:
        """Takes an evaluation into account; one without the metric is not better than any."""
        if self._metric is None:
            return
        value = metrics.get(self._metric.name, math.nan)
        first = math.isnan(self._best) and not math.isnan(value)
        if first or self._metric.sign * value > self._metric.sign * self._best:
            self._best, self._since, self.best_step = value, 0, step
        else:
            self._since += 1
            if value == self._best:  # of equal ones the checkpoint of the last is kept
                self.best_step = step

    @property
    def best(self) -> dict[str, float]:
        """The best value by the metric's full name; empty before the first."""
        if self._metric is None or self.best_step is None:
            return {}
        return {self._metric.name: self._best}

    @property
    def over(self) -> bool:
        """Whether the run should end."""
        return self._limit is not None and self._since >= self._limit

    def __str__(self) -> str:
        name = self._metric.name if self._metric else "metric"
        return f"{self._since} evaluations without a better {name} than {self._best:.4g}"
