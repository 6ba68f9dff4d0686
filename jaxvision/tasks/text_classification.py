"""Text classification: one class a text."""

import dataclasses
from typing import Any, cast

import jax
import numpy as np
from clu import metrics

from jaxvision.data.text.spacing import spaced
from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.losses.classification import softmax_cross_entropy
from jaxvision.metrics.classification import Classification
from jaxvision.models.sequence.recurrent_classifier import RecurrentClassifier
from jaxvision.ops import ranges
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class TextClassification:
    """Trains a classifier on batches of `jaxvision.data.batch.TextBatch`.

    Attributes:
        model: The network; its vocabulary is that of the tokenizer, its classes `class_names`.
        tokenizer: Numbers words or characters.
        class_names: For the metric, by class index.
        lower: Whether capital letters become small ones.
        max_length: Tokens of a text that are read, from its beginning.
        label_smoothing: Share of each target that is spread over all classes.

    Raises:
        ValueError: If a number is out of its range.
    """

    model: RecurrentClassifier
    tokenizer: WordTokenizer
    class_names: tuple[str, ...]
    lower: bool = True
    max_length: int = 256
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        ranges.check(self, "[1, 1_000_000]", "max_length")
        ranges.check(self, "[0, 1]", "label_smoothing")

    def encode(self, text: str) -> np.ndarray:
        """Numbers the first tokens of a text [n] int32; n is 0 for a text of spaces alone."""
        line = spaced(text, self.tokenizer.unit, lower=self.lower)
        return np.array(self.tokenizer.encode(line)[: self.max_length], np.int32)

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network."""
        variables = self.model.init(key, batch["tokens"][:1], batch["length"][:1], train=False)
        return variables["params"], {}

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the mean cross entropy of a batch; logs its accuracy."""
        del step
        logits = self._logits(params, batch, {"dropout": key})
        targets = jax.nn.one_hot(batch["label"], len(self.class_names))
        value = softmax_cross_entropy(logits, targets, label_smoothing=self.label_smoothing).mean()
        accuracy = (logits.argmax(axis=-1) == batch["label"]).mean()
        return Loss(value, state, {"accuracy": accuracy})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Computes the probabilities [B, K] of a batch."""
        del state, key
        return jax.nn.softmax(self._logits(params, batch))

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares probabilities [B, K] with the true classes of an evaluation batch."""
        return Classification.from_model_output(
            probabilities=predictions, batch=cast(Any, batch), class_names=self.class_names
        )

    def _logits(
        self, params: Params, batch: Batch, rngs: dict[str, jax.Array] | None = None
    ) -> jax.Array:
        """Computes logits [B, K]; with random numbers, with dropout."""
        logits = self.model.apply(
            {"params": params}, batch["tokens"], batch["length"], train=rngs is not None, rngs=rngs
        )
        return cast(jax.Array, logits)
