"""Everything that a run needs, wired: what a recipe's `experiment` returns."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from typing import Any, Literal, NamedTuple, Protocol, Self

import jax
import optax

from jaxvision.ops import ranges
from jaxvision.plots.report import Report
from jaxvision.tasks.task import ModelState, Params, Task
from jaxvision.train.evaluate import Evaluation
from jaxvision.train.plateau import Plateau
from jaxvision.train.sharding import StateSharding, replicated_state


class Batches(Protocol):
    """What both kinds of streams say about their batches, dicts of numpy arrays."""

    def rows(self, batch: Mapping[str, Any]) -> int:
        """Number of examples in a batch, for the speed and for accumulation."""
        ...

    def axis(self, key: str) -> int | None:
        """Axis along which the devices share an array of a batch; None: a copy on each device."""
        ...

    def faults(self) -> str:
        """Describes the examples that were skipped since the last call; "" if there are none."""
        ...

    def share(self, process: int, processes: int) -> Self:
        """Returns the stream of one of several processes: its rows of the same batches."""
        ...

    def digest(self) -> str:
        """Sums up the dataset, so that processes can see whether theirs is the same."""
        ...


class TrainData(Batches, Protocol):
    """An endless stream of batches, a function of its seed and the step alone."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that show every example once."""
        ...

    def batches(self, start_step: int = 0) -> Iterator[Mapping[str, Any]]:
        """Batches from `start_step` on, until closed."""
        ...

    def name(self, index: int, /) -> str:
        """Names an example by its `index`, for messages."""
        ...


class EvalData(Batches, Sized, Protocol):
    """A finite sequence of batches of one shape or a few, the last one padded.

    A batch may hold `truth`, a list of Python objects that never reaches the devices.
    """

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """All batches, from the first."""
        ...


class EvalSet(NamedTuple):
    """One of the sets that a run is evaluated on.

    Attributes:
        data: Its batches.
        at_end: Whether it is evaluated after the last step alone, as a test set.
    """

    data: EvalData
    at_end: bool = False


class Best(NamedTuple):
    """The metric whose best checkpoint is kept.

    Attributes:
        name: Full name, as `val/AP`.
        direction: Whether higher or lower values are better.
    """

    name: str
    direction: Literal["max", "min"] = "max"

    @property
    def sign(self) -> float:
        """What a value is multiplied by so that higher is better."""
        return 1.0 if self.direction == "max" else -1.0


@dataclasses.dataclass(frozen=True)
class InitFrom:
    """Variables of another model that a new run starts from.

    Attributes:
        variables: {"params": tree, **other collections}, or a function that reads them, called
            when a run starts and not when it continues.
        there: Prefix of their names that is taken, as `backbone`; "" for all of them.
        here: Prefix of the names that they fill.
        strict: Whether every variable under `here` must be found in the same shape, and every one
            under `there` be used. If not, those without a counterpart of the same shape keep
            their fresh values, as the last layer for other classes, but at least half of the
            values must fit.
        label: Where they come from, for the message at the start.
    """

    variables: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    there: str = ""
    here: str = ""
    strict: bool = True
    label: str = "other variables"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A run: problem, data, optimizer, length.

    Attributes:
        task: The problem.
        train_data: Batches to learn from.
        eval_data: Sets to measure on, by the prefix of their metrics: `val`, `val/set5`, `test`.
        optimizer: Changes the parameters.
        learning_rate: What `optimizer` uses at each step, for the log.
        total_steps: Length of the run; 0 for `finish` and the evaluation alone.
        seed: Of initialisation, of each step's randomness and of predictions.
        ema: Decay of the average of parameters and model state as a function of the updates made,
            or None for no average. Where there is one, it is what is evaluated.
        accumulate: Parts of a batch that are computed one after another, for batches that do not
            fit into memory. A step stays one update by the mean of their gradients.
        constants: Arrays or trees of them that are neither parameters nor state, as a teacher, a
            graph or a sampling table. They are put on the devices once and are further keys of
            every batch; they are not saved, but their digests are.
        freeze: Regular expressions; parameters whose whole name matches one, as
            `backbone/stem/conv/kernel` does `backbone/.*`, keep their values. They have no
            gradient and no optimizer state, and normalisation whose parameters are all frozen
            uses its running statistics and keeps them.
        collections: What becomes of a collection of the model's state besides the plain update:
            `average` (the default; it is averaged as the parameters are), `copy` (the average
            holds the newest), or `rows` (its arrays have one row for each of the batch, as the
            carry of a language model; they are cut and accumulated with the batch, never
            averaged, and start anew if the batch size changes; evaluation does not see them).
        init_from: Variables of other models that a new run starts from, applied in order.
        best: The metric whose best checkpoint is kept, or None.
        patience: Evaluations in a row without a better value of `best` after which the run ends
            early; None for never.
        plateau: Lowers the learning rate where `best` stays, or None.
        finish: Maps the evaluated parameters and model state, as numpy arrays, to those that take
            their place, once, after the last step and before the last evaluation.
        report: What an evaluation shows besides its metrics.
        non_finite: What becomes of a step whose loss or gradient is NaN or infinite: `stop` ends
            the run, `skip` leaves everything but the number of the step as it was.
        spike: Skips an update whose loss is above this multiple of the mean over the last 100
            steps; 0 for none.
        state_sharding: Where the devices hold the state: a copy each, or a part each with
            `fsdp_state` of `jaxvision.train.sharding`. A run may be continued with the other.
        log_every: Steps between lines of the log.
        eval_every: Steps between evaluations; there is one after the last step too.
        save_every: Steps between checkpoints; evaluations and the last step have one too.
        save_minutes: Minutes after which there is one at the latest; 0 for any.
        make_step: Replaces `make_step` of `jaxvision.train.step`, as for sparse updates; called
            with task, optimizer and ema. Other fields that change the step must not be set.
        wandb: Project on Weights & Biases that gets metrics and pictures too; "" for none.
        meta: JSON stored with every checkpoint: recipe, config, info, versions.
    """

    task: Task
    train_data: TrainData
    eval_data: Mapping[str, EvalSet]
    optimizer: optax.GradientTransformation
    learning_rate: optax.Schedule
    total_steps: int
    seed: int = 0
    ema: Callable[[jax.Array], jax.Array] | None = None
    accumulate: int = 1
    constants: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    collections: Mapping[str, str] = dataclasses.field(default_factory=dict)
    init_from: Sequence[InitFrom] = ()
    best: Best | None = None
    patience: int | None = None
    plateau: Plateau | None = None
    finish: Callable[[Params, ModelState], tuple[Params, ModelState]] | None = None
    report: Callable[[Evaluation], Report] | None = None
    non_finite: Literal["stop", "skip"] = "stop"
    spike: float = 0.0
    state_sharding: StateSharding = replicated_state
    log_every: int = 20
    eval_every: int = 1000
    save_every: int = 1000
    save_minutes: float = 0.0
    make_step: Callable[..., Callable[..., Any]] | None = None
    wandb: str = ""
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        least = dict(total_steps=0, accumulate=1, log_every=1, eval_every=1, save_every=1)
        for field, bound in least.items():
            if getattr(self, field) < bound:
                raise ValueError(f"{field} must be at least {bound}, got {getattr(self, field)}")
        ranges.check({"save_minutes": self.save_minutes}, "[0, inf)", "save_minutes")
        if self.non_finite not in ("stop", "skip"):
            raise ValueError(f"non_finite must be stop or skip, got {self.non_finite}")
        if self.spike:
            ranges.check({"spike": self.spike}, "(1, inf)", "spike")
        if isinstance(self.freeze, str):
            raise ValueError(f"freeze must be a tuple of patterns, got {self.freeze!r}")
        self._check_best()
        try:
            json.dumps(dict(self.meta))
        except TypeError as error:
            raise ValueError(f"meta must be JSON, which it is not: {error}") from error
        kinds = ("average", "copy", "rows")
        for name, kind in self.collections.items():
            if kind not in kinds:
                raise ValueError(
                    f"collections[{name!r}] must be one of {', '.join(kinds)}, got {kind!r}"
                )
        if self.make_step is not None:
            changed = dict(
                accumulate=self.accumulate > 1,
                freeze=bool(self.freeze),
                collections=bool(self.collections),
                plateau=self.plateau is not None,
            )
            ignored = [name for name, is_set in changed.items() if is_set]
            if ignored:
                raise ValueError(
                    f"make_step replaces the step, which would ignore {', '.join(ignored)}; "
                    "leave them at their defaults"
                )

    def _check_best(self) -> None:
        if "train" in self.eval_data:
            raise ValueError(
                "eval_data must not be named train, the prefix of the training log; "
                "use train_eval or another name"
            )
        if self.best is not None:
            if self.best.direction not in ("max", "min"):
                raise ValueError(f"best's direction must be max or min, got {self.best.direction}")
            each_time = [name for name, data in self.eval_data.items() if not data.at_end]
            if not any(self.best.name.startswith(f"{name}/") for name in each_time):
                raise ValueError(
                    f"best must name a metric of a set that is evaluated each time, as "
                    f"{' or '.join(f'{name}/...' for name in each_time) or 'none is'}, got "
                    f"{self.best.name}"
                )
        if self.patience is not None and (self.patience < 1 or self.best is None):
            raise ValueError(
                "patience must be at least 1, and best name a metric, got "
                f"patience={self.patience} and best={self.best}"
            )
        if self.plateau is not None and self.best is None:
            raise ValueError("plateau needs a metric to watch: best must name one")

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the collections that hold rows of the batch."""
        return tuple(name for name, kind in self.collections.items() if kind == "rows")

    def share(self, process: int, processes: int) -> "Experiment":
        """Returns the experiment of one of several processes, which reads its rows of the data."""
        sets = {
            name: each._replace(data=each.data.share(process, processes))
            for name, each in self.eval_data.items()
        }
        train_data = self.train_data.share(process, processes)
        return dataclasses.replace(self, train_data=train_data, eval_data=sets)

    def common(self) -> dict[str, Any]:
        """Returns what all processes of a run must have in common, as JSON."""
        sets = {name: each.data.digest() for name, each in self.eval_data.items()}
        return {
            "total_steps": self.total_steps,
            "seed": self.seed,
            "info": self.meta.get("info", {}),
            "data": {"train": self.train_data.digest(), **sets},
        }
