"""A trained classifier of texts."""

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.inference.classes import Classes
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.reports.classification import report_classification
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.ops import ranges
from jaxvision.plots.style import to_rgb
from jaxvision.plots.text import text_figure
from jaxvision.tasks.text_classification import TextClassification
from jaxvision.train.evaluate import Evaluation

# Texts are padded to a multiple of this, so that few programs are compiled.
_MULTIPLE = 16
# Tokens of the text that a program is counted and timed with.
_TOKENS = 64


@dataclasses.dataclass(frozen=True, eq=False)
class TextClass(Classes):
    """The classes of one text.

    Attributes:
        text: The text.
        probabilities: Of each class [K] float32.
        class_names: The classifier's.
    """

    text: str
    probabilities: np.ndarray
    class_names: tuple[str, ...]

    columns = ("text", "name", "probability")

    def plot(self) -> np.ndarray:
        """Draws the text and its class, RGB [H, W, 3] uint8."""
        return to_rgb(text_figure(f"{self.text}\n\n{self.summary()}"))

    def to_dict(self) -> dict[str, Any]:
        """Returns the text and its most probable classes as values that JSON can hold."""
        classes = [{"name": name, "probability": p} for name, p in self.top()]
        return {"text": self.text, "name": self.name, "classes": classes}

    def summary(self) -> str:
        """Names the class with its probability."""
        ((name, probability),) = self.top(1)
        return f"{name} {probability:.1%}"

    def rows(self) -> list[dict[str, Any]]:
        """Returns one row, of the text and its most probable class."""
        ((name, probability),) = self.top(1)
        return [{"text": self.text, "name": name, "probability": probability}]


class TextClassifier(Predictor):
    """Says which class texts are of.

        model = jaxvision.load("runs/text_classifier")
        model("the soup was not bad").name
        [found.top(2) for found in model(["a fine film", "a dull one"])]

    Attributes:
        class_names: By class index.
        batch_size: Texts predicted at a time.
    """

    reads = "texts"
    options = ("batch_size",)
    formats = ("json", "csv")
    task: TextClassification

    def __init__(
        self,
        task: TextClassification,
        variables: Mapping[str, Any],
        *,
        batch_size: int = 32,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: The network, its tokenizer and its classes.
            variables: {"params"} of the network.
            batch_size: Texts predicted at a time.
            origin: The run that the variables come from.

        Raises:
            ValueError: If the batch size is below 1, or the vocabulary is another than that of the
                parameters.
        """
        ranges.check({"batch_size": batch_size}, "[1, 100_000]", "batch_size")
        task.tokenizer.check_size(len(variables["params"]["embedding"]["embedding"]))
        super().__init__(task, {"params": variables["params"]}, origin=origin)
        self.class_names = task.class_names
        self.batch_size = batch_size

    def replaced(self, *, batch_size: int | None = None) -> Self:
        """Returns a classifier of the same variables; None keeps an option.

        Args:
            batch_size: Texts predicted at a time.

        Raises:
            ValueError: If it is not positive.
        """
        changed = copy.copy(self)
        if batch_size is not None:
            ranges.check({"batch_size": batch_size}, "[1, 100_000]", "batch_size")
            changed.batch_size = batch_size
        return changed

    def __call__(self, inputs: str | Iterable[str]) -> Any:
        """Classifies texts; of long ones their beginning is read, as in training.

        Args:
            inputs: A text, or several.

        Returns:
            `TextClass` for one text, a list of them for several, in order.

        Raises:
            ValueError: If a text holds no words.
        """
        single = isinstance(inputs, str)
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        encoded = [self.task.encode(text) for text in texts]
        for number, tokens in enumerate(encoded):
            if not len(tokens):
                raise ValueError(f"a text must hold words, text {number} is {texts[number]!r}")
        rows = self.predict_batches(self._batches(encoded))
        found = [TextClass(texts[i], probabilities, self.class_names) for i, probabilities in rows]
        return found[0] if single else found

    def _batches(
        self, encoded: Sequence[np.ndarray]
    ) -> Iterator[tuple[Sequence[int], Mapping[str, np.ndarray]]]:
        for start in range(0, len(encoded), self.batch_size):
            own = encoded[start : start + self.batch_size]
            width = -(-max(map(len, own)) // _MULTIPLE) * _MULTIPLE
            tokens = np.zeros((self.batch_size, width), np.int32)
            length = np.zeros(self.batch_size, np.int32)
            for row, each in enumerate(own):
                tokens[row, : len(each)], length[row] = each, len(each)
            yield range(start, start + len(own)), {"tokens": tokens, "length": length}

    def program(self) -> Program:
        """Returns all that classifying a text of some tokens computes."""
        return self._program(self.task.model)

    def served(self, *, nms: bool = False) -> Program:
        """Returns what a file for other runtimes computes, in float32.

        Its input are tokens [B, T], -1 after the last of a text; its output `probabilities`.
        """
        if nms:
            raise ValueError("nms is for detectors, got a classifier of texts")
        return self._program(self._task_in_float32().model)

    def _program(self, model: Any) -> Program:
        size, words = min(_TOKENS, self.task.max_length), self.task.tokenizer.vocabulary_size

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(0)
            tokens = rng.integers(0, words, (batch, size)).astype(np.int32)
            tokens[:, size // 2 :][rng.random(batch) < 0.5] = -1
            return (tokens,)

        def apply(variables: Any, tokens: jax.Array) -> dict[str, jax.Array]:
            lengths = (tokens >= 0).sum(axis=1)
            logits = model.apply(variables, jnp.maximum(tokens, 0), lengths, train=False)
            return {"probabilities": jax.nn.softmax(logits)}

        return Program(apply, inputs, f"text of {size} tokens")

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: classes, confusions, curves, calibration, the worst texts."""
        return report_classification(evaluation, data, what="texts")
