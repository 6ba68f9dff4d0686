"""What every trained model can do, whatever its task."""

import abc
import copy
import dataclasses
import json
import os
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import jax
import numpy as np

from jaxvision import __version__
from jaxvision.inference.export.write import Exported, export
from jaxvision.inference.program import Program
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.tasks.task import Task
from jaxvision.train.evaluate import (
    Evaluation,
    Predict,
    compile_predict,
    evaluate,
    prediction_key,
)
from jaxvision.train.sharding import local_mesh, put_batch, replicated

SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class Origin:
    """The run that the variables of a predictor come from.

    Attributes:
        recipe: Module that built the task.
        config: Its values, a locked ConfigDict.
        info: What the task knows of the data.
        step: Training steps made.
    """

    recipe: types.ModuleType
    config: Any
    info: Mapping[str, Any]
    step: int

    def meta(self) -> dict[str, Any]:
        """Returns what a checkpoint says of the run, as JSON has it."""
        return {
            "recipe": self.recipe.__name__.rpartition(".")[2],
            "config": json.loads(json.dumps(self.config.to_dict())),
            "info": dict(self.info),
            "versions": {"jaxvision": __version__, "jax": jax.__version__},
        }


class Predictor(abc.ABC):
    """A task with trained variables.

    Attributes:
        reads: What it predicts for: `images`, `text`, `texts`, `prompts` or `graphs`.
        options: Names of what `replaced` takes.
        formats: Names of the file formats that results can be written in.
        batch_size: Inputs predicted at a time, at most.
        task: The problem, with its network.
        params: The network's parameters, on all local devices.
        model_state: Its other collections.
        origin: The run that they come from; None for variables from elsewhere.
    """

    reads: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    formats: ClassVar[tuple[str, ...]]
    batch_size: int

    def __init__(
        self, task: Task, variables: Mapping[str, Any], *, origin: Origin | None = None
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: The problem, with its network.
            variables: {"params", **other collections} of the network.
            origin: The run that they come from.
        """
        self.task = task
        self.origin = origin
        self._seed = origin.config.seed if origin else 0
        self._mesh = local_mesh()
        state = {name: tree for name, tree in variables.items() if name != "params"}
        self.params, self.model_state = jax.device_put(
            (variables["params"], state), replicated(self._mesh)
        )
        self._predict = self._compiled(task)
        # What `predict_batches` runs; evaluation always runs the task's `predict`.
        self._infer = self._predict

    @abc.abstractmethod
    def __call__(self, inputs: Any) -> Any:
        """Predicts one input, or each of several; the result is one object, or a list of them."""

    @abc.abstractmethod
    def replaced(self, **options: Any) -> Self:
        """Returns a predictor of the same variables with other options; None keeps one.

        Raises:
            ValueError: If a value is out of its range.
        """

    def _compiled(self, task: Task) -> Predict:
        """Compiles a task's `predict`."""
        return compile_predict(task, self._mesh)

    @property
    def variables(self) -> dict[str, Any]:
        """{"params", **other collections}, as the network's `apply` takes them."""
        return {"params": self.params, **self.model_state}

    def data(self, split: str = "val", *, path: str | None = None, name: str | None = None) -> Any:
        """Opens data of the run for evaluation.

        Args:
            split: `val`, `test` or `train`: the data that the run's config names so.
            path: Folder of the dataset, in place of the run's.
            name: The dataset's name of the split, in place of the run's.

        Returns:
            A `jaxvision.data.stream.Stream` of evaluation batches.

        Raises:
            DataError: If the data is no longer there or has a fault.
            ValueError: If there is no such split, or the model does not come from a run.
        """
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        if self.origin is None:
            raise ValueError(
                "only a model that comes from a run can be evaluated, since the run says on which "
                "data; use jaxvision.load"
            )
        config = self.origin.config
        if path is not None or name is not None:
            config = copy.deepcopy(config)
            config.data.update({"path": path} if path is not None else {})
            config.data.update({split: name} if name is not None else {})
        return self.origin.recipe.eval_data(config, self.origin.info, split)

    def evaluate(self, split: str = "val", *, path: str | None = None) -> dict[str, float]:
        """Measures the model on data of its run, as the run's evaluations do.

        Args:
            split: `val`, `test` or `train`: the data that the run's config names so.
            path: Folder of the dataset, in place of the run's.

        Returns:
            {name: value}, such as `AP`, `accuracy` or `bleu`; for `val` those of the run's
            evaluation at this step.

        Raises:
            DataError: If the data is no longer there or has a fault.
            ValueError: If there is no such split, or the model does not come from a run.
        """
        return self.evaluation(self.data(split, path=path), split).metrics

    def evaluation(self, data: Any, name: str, batches: Iterable[Any] | None = None) -> Evaluation:
        """Measures the model on data, and keeps what the metrics are computed from.

        Args:
            data: As `data` opens it.
            name: Of the split.
            batches: Those of `data`, where something watches them go by.
        """
        return evaluate(
            self.task,
            self._predict,
            (self.params, self.model_state),
            data if batches is None else batches,
            self._mesh,
            seed=self._seed,
            axis=data.axis,
            name=name,
            step=self.origin.step if self.origin else 0,
        )

    @abc.abstractmethod
    def program(self) -> Program:
        """Returns all that predicting a batch computes, to be counted and timed."""

    @abc.abstractmethod
    def served(self, *, nms: bool = False) -> Program:
        """Returns what a file for other runtimes computes, in float32.

        Args:
            nms: Whether a detector's suppression belongs to it.

        Returns:
            A program whose `apply` returns {name: array}.

        Raises:
            ValueError: For `nms` of another task.
        """

    def export(self, path: str | os.PathLike[str], **options: Any) -> Exported:
        """Writes the model to a file for other runtimes; see `jaxvision.inference.export.write`.

            predictor.export("model.onnx")
            predictor.export("model_int8.onnx", precision="int8", pictures="photos/")

        Args:
            path: Ends in .onnx, .stablehlo or .safetensors.
            **options: `format`, `nms`, `precision`, `pictures`, `names` and `overwrite`.

        Raises:
            ValueError: If an option is wrong, or the file does not compute what the model does.
            OSError: If the file exists or cannot be written.
            ImportError: If the extra is not installed.
        """
        return export(self, path, **options)

    def _task_in_float32(self) -> Any:
        """Returns the task with a network that computes in float32, whatever the run did."""
        if self.origin is None:
            return self.task
        config = copy.deepcopy(self.origin.config)
        config.dtype = "float32"
        model = self.origin.recipe.task(config, self.origin.info).model
        task: Any = self.task
        return dataclasses.replace(task, model=model)

    @abc.abstractmethod
    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation as tables, charts and examples.

        Args:
            evaluation: As `evaluation` returns it.
            data: What it was measured on.
        """

    def predict_batches(
        self, batches: Iterator[tuple[Sequence[Any], Mapping[str, np.ndarray]]]
    ) -> Iterator[tuple[Any, Any]]:
        """Predicts batches; the devices work on one while the host prepares the next.

        Args:
            batches: The members of each batch, and its arrays; rows past the members are padding.

        Yields:
            Each member with its row of the predictions, numpy arrays.
        """
        pending = None
        for number, (members, batch) in enumerate(batches):
            key = jax.device_put(prediction_key(self._seed, number), replicated(self._mesh))
            rows = len(next(iter(batch.values())))
            # A batch that the devices cannot share is computed by each of them.
            axis = 0 if rows % self._mesh.size == 0 else None
            found = self._infer(
                self.params,
                self.model_state,
                put_batch(batch, self._mesh, lambda _, axis=axis: axis),
                key,
            )
            if pending is not None:
                yield from _rows(*pending)
            pending = members, found
        if pending is not None:
            yield from _rows(*pending)


def _rows(members: Sequence[Any], predictions: Any) -> Iterator[tuple[Any, Any]]:
    predictions = jax.device_get(predictions)
    for i, member in enumerate(members):
        yield member, jax.tree.map(lambda x, i=i: x[i], predictions)
