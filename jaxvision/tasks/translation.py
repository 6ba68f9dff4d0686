"""Translation: teacher forcing, label smoothing, beam search and BLEU."""

import dataclasses
import functools
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from clu import metrics
from flax import traverse_util

from jaxvision.data.text.tokenizer import END, PAD, START, SubwordTokenizer
from jaxvision.losses.label_smoothing import TokenLoss, smoothed_cross_entropy
from jaxvision.metrics.translation import TranslationQuality
from jaxvision.models.sequence.embedding import segment_positions
from jaxvision.models.sequence.translators import TranslationNetwork
from jaxvision.ops import ranges
from jaxvision.ops.beam_search import Hypotheses, beam_search, length_penalty
from jaxvision.ops.greedy_search import greedy_search
from jaxvision.tasks.task import Batch, Loss, ModelState, Params

# Number of sentences of a batch whose attention `predict` returns.
_LOOKED_AT = 2


class Translated(NamedTuple):
    """The predictions for B sentences.

    Attributes:
        tokens: The best translation of each, padded after its end [B, L].
        scores: Its log probability divided by the length penalty [B].
        negative_log_likelihood: Sum over the tokens of the reference, with teacher forcing [B].
        correct: Number of tokens of the reference that were predicted, with teacher forcing [B]
            int32.
        attention: Cross-attention of the translations of the first sentences: the mean over the
            heads of the last layer [min(B, 2), L, S].
    """

    tokens: jax.Array
    scores: jax.Array
    negative_log_likelihood: jax.Array
    correct: jax.Array
    attention: jax.Array


@dataclasses.dataclass(frozen=True)
class Translation:
    """Trains a network on batches of `jaxvision.data.batch.TranslationBatch`.

    Attributes:
        model: The network; its vocabulary is that of the tokenizer.
        tokenizer: Turns tokens into text.
        label_smoothing: Probability that is spread over all tokens, in [0, 1).
        beam_size: Hypotheses per sentence; 1 for greedy search.
        alpha: Exponent of the length penalty ((5 + n) / 6)^alpha.
        extra_length: Upper limit of the tokens of a translation beyond those of its source.

    Raises:
        ValueError: If the vocabulary of the network is not that of the tokenizer, or a number is
            out of its range.
    """

    model: TranslationNetwork
    tokenizer: SubwordTokenizer
    label_smoothing: float = 0.1
    beam_size: int = 4
    alpha: float = 0.6
    extra_length: int = 50

    def __post_init__(self) -> None:
        if self.model.vocabulary_size != self.tokenizer.vocabulary_size:
            raise ValueError(
                f"vocabulary_size must be that of the tokenizer, {self.tokenizer.vocabulary_size}, "
                f"got {self.model.vocabulary_size}"
            )
        if self.model.pad_id != PAD:
            raise ValueError(
                f"pad_id must be that of the tokenizer, {PAD}, got {self.model.pad_id}"
            )
        ranges.check(self, "[1, 1024]", "beam_size")
        ranges.check(self, "[0, 100_000]", "extra_length")
        ranges.check(self, "[0, inf)", "alpha")
        ranges.check(self, "[0, 1)", "label_smoothing")

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network; it has no state."""
        variables = self.model.init(key, batch["source"][:1], batch["target"][:1], train=False)
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
        """Computes the mean over the target's tokens of the smoothed cross entropy.

        Logs perplexity and token accuracy, both with dropout, and the number of target tokens.
        """
        del step
        terms, valid = self._score(params, batch, train=True, rngs={"dropout": key})
        mean = functools.partial(jnp.mean, where=valid)
        logs = {
            "perplexity": jnp.exp(mean(terms.negative_log_likelihood)),
            "token_accuracy": mean(terms.correct),
            "target_tokens": valid.sum(),
        }
        return Loss(mean(terms.smoothed), state, logs)

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Translated:
        """Translates a batch and scores its references; the search is not random."""
        del state, key
        terms, valid = self._score(params, batch, train=False)
        found = self.translate(params, batch["source"])
        tokens = found.tokens[:, 0]
        looks = self.cross_attention(params, batch["source"][:_LOOKED_AT], tokens[:_LOOKED_AT])
        return Translated(
            tokens=tokens,
            scores=found.scores[:, 0],
            negative_log_likelihood=terms.negative_log_likelihood.sum(axis=1, where=valid),
            correct=terms.correct.sum(axis=1, where=valid, dtype=jnp.int32),
            attention=looks[-1].mean(axis=1),
        )

    def translate(self, params: Params, source: jax.Array) -> Hypotheses:
        """Finds the `beam_size` best translations of source tokens [B, S], each ending with END."""
        batch, longest = source.shape
        length = longest + self.extra_length
        apply = functools.partial(self.model.apply, {"params": params})
        memory = apply(source, method="encode")
        never = jnp.isin(jnp.arange(self.model.vocabulary_size), jnp.array([PAD, START]))

        def step(tokens: jax.Array, position: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
            logits, cache = apply(tokens, position, memory, cache, method="step")
            return jnp.where(never[None], -jnp.inf, logits), cache

        tokens = (source != PAD).sum(axis=1)
        # Rows of padding must not prolong the search.
        limits = jnp.where(tokens > 0, tokens + self.extra_length, 1)
        cache = apply(batch * self.beam_size, length, method="empty_cache")
        options = dict(length=length, start_id=START, end_id=END, pad_id=PAD)
        if self.beam_size > 1:
            return beam_search(
                step, cache, limits, beam_size=self.beam_size, alpha=self.alpha, **options
            )
        found = greedy_search(step, cache, limits, **options)
        penalty = length_penalty((found.tokens != PAD).sum(axis=1), self.alpha)
        return Hypotheses(found.tokens[:, None], (found.log_probability / penalty)[:, None])

    def cross_attention(self, params: Params, source: jax.Array, target: jax.Array) -> jax.Array:
        """Computes how much the decoder attends to each source token for each token of the target.

        Args:
            params: The parameters.
            source: Tokens [B, S], each row ending with END.
            target: Tokens of a translation [B, T], each row ending with END.

        Returns:
            Weights [layers, B, heads, T, S] float32; row t belongs to the step that writes token t.
            Rows of padding have no meaning.
        """
        inputs = jnp.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=START)
        _, sown = self.model.apply(
            {"params": params}, source, inputs, train=False, mutable=["intermediates"]
        )
        found = cast(Any, traverse_util.flatten_dict(cast(Any, sown)["intermediates"]))
        names = [name for name in found if "cross_attention" in name]
        # layer2 before layer10.
        names.sort(key=lambda name: (len("/".join(name)), name))
        return jnp.stack([found[name][0] for name in names])

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares translations with the references in `truth`, as text."""
        real = np.flatnonzero(batch["mask"])
        index = batch["index"][real].tolist()
        return TranslationQuality.from_model_output(
            index=index,
            hypotheses=[self.tokenizer.decode(row) for row in predictions.tokens[real]],
            references=[batch["truth"][i] for i in real],
            negative_log_likelihood=predictions.negative_log_likelihood[real],
            correct=predictions.correct[real],
            tokens=(batch["target"][real] != PAD).sum(axis=1),
        )

    def _score(self, params: Params, batch: Batch, **options: Any) -> tuple[TokenLoss, jax.Array]:
        """Returns the loss of each target token, and which tokens are not padding."""
        target = batch["target"]
        # Teacher forcing: a token is predicted from the true ones before it, the first from START.
        inputs = jnp.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=START)
        segments = batch.get("source_segments"), batch.get("target_segments")
        if segments[1] is not None:
            inputs = jnp.where(segment_positions(segments[1]) == 0, START, inputs)
        logits = self.model.apply({"params": params}, batch["source"], inputs, *segments, **options)
        logits = cast(jax.Array, logits)
        terms = smoothed_cross_entropy(logits, target, label_smoothing=self.label_smoothing)
        return terms, target != PAD
