"""When a run has stopped to get better."""

import json
import math
import pathlib
from collections.abc import Mapping


class Patience:
    """Counts evaluations since the best one; what came before a resume is read from the metrics.

    So nothing of it is stored with a checkpoint: `metrics.jsonl` says it already.
    """

    def __init__(
        self, limit: int | None, best: str | None, workdir: pathlib.Path, start: int
    ) -> None:
        """Counts the evaluations of a run so far.

        Args:
            limit: Evaluations in a row without a better value after which it is over; None for
                never.
            best: Name of the metric, higher is better.
            workdir: Holds `metrics.jsonl`, if the run is continued.
            start: Step that the run continues from; later evaluations will come again.
        """
        self._limit = limit
        self._name = best or ""
        self._best = -math.inf
        self._since = 0
        if limit is None:
            return
        for _, metrics in sorted(_evaluations(workdir / "metrics.jsonl", start).items()):
            self.see(metrics)

    def see(self, metrics: Mapping[str, float]) -> None:
        """Takes an evaluation into account; one without the metric is no better than any."""
        value = metrics.get(self._name, math.nan)
        if value > self._best:
            self._best, self._since = value, 0
        else:
            self._since += 1

    @property
    def over(self) -> bool:
        """Whether the run should end."""
        return self._limit is not None and self._since >= self._limit

    def __str__(self) -> str:
        return f"{self._since} evaluations without a better {self._name} than {self._best:.4g}"


def _evaluations(file: pathlib.Path, until: int) -> dict[int, dict[str, float]]:
    """Reads {step: {name: value}} of the evaluations up to a step; of one made twice, the last."""
    found: dict[int, dict[str, float]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            values = json.loads(line)
        except ValueError:
            continue  # torn by the end of a process
        metrics = {k.removeprefix("val/"): v for k, v in values.items() if k.startswith("val/")}
        if metrics and values["step"] <= until:
            found[values["step"]] = metrics
    return found
