"""Everything that a run needs, wired: what a config's `build` returns."""

import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Sized
from typing import Any, Protocol

import jax
import numpy as np
import optax

from jaxvision.tasks.task import Batch, Task
from jaxvision.train.sharding import StateSharding, replicated_state


class TrainData(Protocol):
    """An endless stream of batches, a function of its seed and the step alone."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that show every example once."""
        ...

    def batches(self, start_step: int) -> Generator[Mapping[str, np.ndarray], None, None]:
        """Batches from `start_step` on, until closed."""
        ...


class EvalData(Sized, Protocol):
    """A finite sequence of batches of one shape, the last one padded; each has a `mask` [B]."""

    def __iter__(self) -> Iterator[Mapping[str, np.ndarray]]:
        """All batches, from the first."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A run: problem, data, optimizer, length.

    Attributes:
        task: The problem.
        train_data: Batches to learn from.
        eval_data: Batches to measure on.
        optimizer: Changes the parameters.
        learning_rate: What `optimizer` uses at each step, for the log.
        total_steps: Length of the run.
        start_from: Maps the fresh variables {"params", **model state} to those that a new run
            starts from, as pretrained ones; None leaves them as they are.
        seed: Of initialisation and of each step's randomness.
        ema: Decay of the average of parameters and model state as a function of the updates made,
            or None for no average. Where there is one, it is what is evaluated.
        state_sharding: Where the devices hold the state: a copy each, or a part each with
            `fsdp_state` of `jaxvision.train.sharding`. A run may be continued with the other.
        log_every: Steps between lines of the log.
        eval_every: Steps between evaluations; the last step has one too.
        save_every: Steps between checkpoints; evaluations and the last step have one too.
        best: Name of the metric whose best checkpoint is kept, higher is better.
        patience: Evaluations in a row without a better value of `best` after which the run ends
            early; None for never.
        image_name: Names an example by its `index`, for messages.
        draw: Maps (predictions, evaluation batch) to an RGB picture [H, W, 3] uint8 for `plots/`.
        show: Maps (predictions, evaluation batch) to lines of text, which are shown below the
            metrics.
        epoch_report: Called at the end of each epoch and of the run; what it returns is shown, if
            it is not empty.
        figures: Maps the measure of a whole evaluation, what the task's `measure` gave, merged, to
            more such pictures by name, as curves.
        class_names: Stored with checkpoints.
        files: {name: text} that the work directory and every checkpoint get, as what turns
            predictions into text; a run is only continued with the same.
        make_step: Replaces the step of `jaxvision.train.step`.
    """

    task: Task
    train_data: TrainData
    eval_data: EvalData
    optimizer: optax.GradientTransformation
    learning_rate: optax.Schedule
    total_steps: int
    start_from: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    seed: int = 0
    ema: Callable[[jax.Array], jax.Array] | None = None
    state_sharding: StateSharding = replicated_state
    log_every: int = 20
    eval_every: int = 1000
    save_every: int = 1000
    best: str | None = None
    patience: int | None = None
    image_name: Callable[[int], str] = str
    draw: Callable[[Any, Batch], np.ndarray] | None = None
    show: Callable[[Any, Batch], Sequence[str]] = lambda predictions, batch: ()
    epoch_report: Callable[[], str] = str
    figures: Callable[[Any], Mapping[str, np.ndarray]] | None = None
    class_names: tuple[str, ...] = ()
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    make_step: Callable[..., Callable[..., Any]] | None = None

    def __post_init__(self) -> None:
        for field in ("total_steps", "log_every", "eval_every", "save_every"):
            value = getattr(self, field)
            if value < 1:
                raise ValueError(f"{field} must be at least 1, got {value}")
        if self.patience is not None and (self.patience < 1 or self.best is None):
            raise ValueError(
                "patience must be at least 1, and best name a metric, got "
                f"patience={self.patience} and best={self.best}"
            )
