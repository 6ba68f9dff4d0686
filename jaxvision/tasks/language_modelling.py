"""Language modelling: each token is predicted from those before it."""

import dataclasses
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from clu import metrics

from jaxvision.data.text.word_tokenizer import WordTokenizer
from jaxvision.metrics.language import Perplexity
from jaxvision.models.sequence.language_models import LanguageModel
from jaxvision.ops import ranges
from jaxvision.tasks.task import Batch, Loss, ModelState, Params

# The collection of what recurrent networks carry from one batch to the next.
CARRY = "carry"


class Scored(NamedTuple):
    """How well the tokens of B rows are predicted.

    Attributes:
        negative_log_likelihood: Sum over the tokens of a row [B].
        correct: How many were the most probable ones [B] int32.
        tokens: How many there are [B] int32.
    """

    negative_log_likelihood: jax.Array
    correct: jax.Array
    tokens: jax.Array


@dataclasses.dataclass(frozen=True)
class LanguageModelling:
    """Trains a language model on batches of `jaxvision.data.batch.LanguageBatch`.

    A recurrent network carries its state from batch to batch (truncated backpropagation): the
    collection `carry` holds rows of the batch. Others see what a row holds.

    Attributes:
        model: The network; its vocabulary is that of the tokenizer.
        tokenizer: Turns tokens into text.
        window: Tokens that evaluation predicts at a time.
        context: Tokens before a window that evaluation shows the network again.
        sum_over_steps: Whether the loss is the sum over a row's tokens, not their mean, as in
            Zaremba et al. 2014; their limit of the gradient is that of the sum.

    Raises:
        ValueError: If the vocabularies differ, or a number is out of its range.
    """

    model: LanguageModel
    tokenizer: WordTokenizer
    window: int = 20
    context: int = 0
    sum_over_steps: bool = False

    def __post_init__(self) -> None:
        if self.model.vocabulary_size != self.tokenizer.vocabulary_size:
            raise ValueError(
                f"vocabulary_size must be that of the tokenizer, {self.tokenizer.vocabulary_size}, "
                f"got {self.model.vocabulary_size}"
            )
        ranges.check(self, "[1, 1_000_000]", "window")
        ranges.check(self, "[0, 1_000_000]", "context")
        longest = getattr(self.model, "max_length", None)
        if longest is not None and self.window + self.context > longest:
            raise ValueError(
                f"eval.window and eval.context must be at most {longest} together, the positions "
                f"of the network, got {self.window} and {self.context}"
            )

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network, and the carry of the batch's rows."""
        variables = self.model.init(key, batch["inputs"][:1, :1], train=False)
        carry = self.model.empty_carry(len(batch["inputs"]))
        return variables["params"], {CARRY: carry} if carry else {}

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the cross entropy of the tokens; logs perplexity and token accuracy."""
        del step
        carry = state.get(CARRY, ())
        carry = jax.tree.map(lambda x: jnp.where(batch["first"][:, None], 0, x), carry)
        logits, carry = self._continued(params, batch["inputs"], carry, key)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])
        logs = {
            "perplexity": jnp.exp(nats.mean()),
            "token_accuracy": (logits.argmax(axis=-1) == batch["targets"]).mean(),
        }
        value = nats.sum(axis=1).mean() if self.sum_over_steps else nats.mean()
        return Loss(value, {CARRY: carry} if carry else {}, logs)

    def predict(self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array) -> Scored:
        """Scores rows of any length, a window at a time with what is carried between them."""
        del state, key
        inputs, targets, valid = batch["inputs"], batch["targets"], batch["valid"]
        rows, length = targets.shape
        size = self.context + self.window

        def score(carry: Any, start: jax.Array) -> tuple[Any, Scored]:
            shown = jax.lax.dynamic_slice(inputs, (0, start), (rows, size))
            asked = jax.lax.dynamic_slice(targets, (0, start), (rows, self.window))
            counts = jax.lax.dynamic_slice(valid, (0, start), (rows, self.window))
            logits, carry = self._continued(params, shown, carry)
            logits = logits[:, self.context :]
            nats = optax.softmax_cross_entropy_with_integer_labels(logits, asked)
            right = (logits.argmax(axis=-1) == asked) & counts
            own = Scored(
                jnp.where(counts, nats, 0.0).sum(axis=1),
                right.sum(axis=1, dtype=jnp.int32),
                counts.sum(axis=1, dtype=jnp.int32),
            )
            return carry, own

        starts = jnp.arange(0, length, self.window)
        _, scored = jax.lax.scan(score, self.model.empty_carry(rows), starts)
        return jax.tree.map(lambda x: x.sum(axis=0), scored)

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Adds up the rows that are not padding."""
        real = np.asarray(batch["mask"])
        return Perplexity(
            float(np.sum(predictions.negative_log_likelihood[real], dtype=np.float64)),
            int(predictions.correct[real].sum()),
            int(predictions.tokens[real].sum()),
        )

    def _continued(
        self, params: Params, tokens: jax.Array, carry: Any, key: jax.Array | None = None
    ) -> tuple[jax.Array, Any]:
        """Computes logits and the new carry; with a key, with dropout."""
        return cast(
            Any,
            self.model.apply(
                {"params": params},
                tokens,
                carry,
                train=key is not None,
                rngs=None if key is None else {"dropout": key},
                method="continued",
            ),
        )
