"""A trained Transformer, applied to sentences."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

from jaxvision.data.text.padding import pad
from jaxvision.data.text.parallel import read_lines
from jaxvision.data.text.tokenizer import END
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.inference.reports.translation import report_translation
from jaxvision.inference.result import Result
from jaxvision.plots.attention import attention_figure
from jaxvision.plots.style import to_rgb
from jaxvision.tasks.translation import Translation
from jaxvision.train.evaluate import Evaluation

# Tokens of the shortest batches; the next ones are twice as long, and so on.
_SHORTEST = 16


class Attention(NamedTuple):
    """Where a decoder looked while it wrote a translation.

    Attributes:
        weights: By token of the translation and token of the source [T, S] float32; rows sum to 1.
        source: The source's tokens, as text.
        target: The translation's.
    """

    weights: np.ndarray
    source: list[str]
    target: list[str]

    def figure(self) -> Figure:
        """Draws the weights as a heat map."""
        return attention_figure(*self)


@dataclasses.dataclass(frozen=True, eq=False)
class SentenceTranslation(Result):
    """The translation of one sentence; `str()` of it is the text.

    Attributes:
        source: The sentence.
        text: Its translation.
        score: Log probability of the translation over its length penalty; 0 for an empty sentence.
        translator: Wrote it.
    """

    source: str
    text: str
    score: float
    translator: "Translator"

    columns = ("source", "text", "score")

    def __str__(self) -> str:
        return self.text

    def plot(self, *, layer: int = -1, head: int | None = None) -> np.ndarray:
        """Draws where the decoder looked, as `Translator.attention` computes it.

        Returns:
            RGB [H, W, 3] uint8.
        """
        found = self.translator.attention(self.source, self.text, layer=layer, head=head)
        return to_rgb(found.figure())

    def to_dict(self) -> dict[str, Any]:
        """Returns source, text and score as values that JSON can hold."""
        return {"source": self.source, "text": self.text, "score": self.score}

    def summary(self) -> str:
        """Returns the translation."""
        return self.text

    def rows(self) -> list[dict[str, Any]]:
        """Returns one row, of source, text and score."""
        return [self.to_dict()]


class Translator(Predictor):
    """Translates sentences.

        translator = jaxvision.load("runs/transformer_multi30k")
        translator("A man sleeps.").text
        [found.text for found in translator(["A man sleeps.", "Two dogs run."])]

    The sentences of a batch have similar lengths, and a batch is padded to one of a few lengths:
    each of these is a program that is compiled when it is first needed. A single sentence has
    programs of its own, as someone at a keyboard waits for it.

    Attributes:
        max_length: Tokens of the longest sentences, their end included.
        batch_size: Sentences translated at a time.
    """

    reads = "text"
    options = ("beam_size", "alpha", "batch_size")
    formats = ("json", "csv")
    task: Translation

    def __init__(
        self,
        task: Translation,
        variables: Mapping[str, Any],
        *,
        max_length: int = 128,
        batch_size: int = 64,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: The network, the tokenizer and the options of the search.
            variables: {"params"} of the network.
            max_length: Tokens that a sentence may have, its end included.
            batch_size: Sentences translated at a time.
            origin: The run that the variables come from.

        Raises:
            ValueError: If a number is out of its range, or the parameters are of another vocabulary
                than the tokenizer.
        """
        for name, value, least in (("max_length", max_length, 2), ("batch_size", batch_size, 1)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        rows = len(variables["params"]["embedding"]["embedding"])
        if rows != task.tokenizer.vocabulary_size:
            raise ValueError(
                f"the tokenizer must have the {rows} subwords of the checkpoint, got one of "
                f"{task.tokenizer.vocabulary_size}"
            )
        super().__init__(task, variables, origin=origin)
        self.max_length = max_length
        self.batch_size = batch_size
        self._translate = jax.jit(task.translate)
        self._attend = jax.jit(task.cross_attention)

    def replaced(
        self,
        *,
        beam_size: int | None = None,
        alpha: float | None = None,
        batch_size: int | None = None,
    ) -> "Translator":
        """Returns a translator that searches with other options; None keeps an option.

        Args:
            beam_size: Hypotheses of a sentence; 1 for greedy search.
            alpha: Exponent of the length penalty.
            batch_size: Sentences translated at a time.

        Raises:
            ValueError: If a number is out of its range.
        """
        options = {"beam_size": beam_size, "alpha": alpha}
        task = dataclasses.replace(
            self.task, **{name: value for name, value in options.items() if value is not None}
        )
        return Translator(
            task,
            self.variables,
            max_length=self.max_length,
            batch_size=self.batch_size if batch_size is None else batch_size,
            origin=self.origin,
        )

    def __call__(
        self,
        inputs: str | os.PathLike[str] | Iterable[str],
        *,
        on_long: Callable[[list[int]], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Any:
        """Translates sentences; the translation of an empty one is empty.

        Args:
            inputs: A sentence, several sentences of any lengths, or a `pathlib.Path` of a text
                file, compressed by gzip or not, with a sentence on each line.
            on_long: Called, before anything is translated, with the numbers of the sentences that
                have more than `max_length` tokens; if it returns, they are cut there. By default
                they are an error.
            progress: Called after each batch with the number of sentences that are done.

        Returns:
            `SentenceTranslation` for one sentence, a list of them for several, in order.

        Raises:
            DataError: If a file cannot be read.
            ValueError: If a sentence is too long, unless `on_long` accepts that.
        """
        single = isinstance(inputs, str)
        if isinstance(inputs, str):
            sentences = [inputs]
        elif isinstance(inputs, os.PathLike):
            sentences = list(read_lines(pathlib.Path(inputs)))
        else:
            sentences = list(inputs)
        found = self._translations(sentences, on_long or self._too_long, progress)
        results = [
            SentenceTranslation(sentence, text, score, self)
            for sentence, (text, score) in zip(sentences, found, strict=True)
        ]
        return results[0] if single else results

    def program(self) -> Program:
        """Returns all that translating a batch of sentences computes."""
        length, words = min(2 * _SHORTEST, self.max_length), self.task.tokenizer.vocabulary_size

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(0)
            source = rng.integers(END + 1, words, (batch, length)).astype(np.int32)
            source[:, -1] = END
            return (source,)

        def apply(variables: Any, source: jax.Array) -> Any:
            return self.task.translate(variables["params"], source)

        return Program(apply, inputs, f"sentence of {length} tokens")

    def served(self, *, nms: bool = False) -> Program:
        """Returns what a file for other runtimes computes for a batch of sentences, in float32."""
        if nms:
            raise ValueError("nms is for detectors, got a translator")
        task = self._task_in_float32()

        def apply(variables: Any, source: jax.Array) -> dict[str, jax.Array]:
            found = task.translate(variables["params"], source)
            return {"tokens": found.tokens, "scores": found.scores}

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            (source,) = self.program().inputs(batch)
            return (pad(list(source), (batch, self.max_length)),)

        return Program(apply, inputs, f"sentence of at most {self.max_length} tokens")

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: quality by length, the best and the worst translations."""
        return report_translation(evaluation, data, self.task.tokenizer)

    def _translations(
        self,
        sentences: Sequence[str],
        on_long: Callable[[list[int]], None],
        progress: Callable[[int], None] | None,
    ) -> list[tuple[str, float]]:
        """Returns the translation and the score of each sentence."""
        encoded = self.task.tokenizer.encode(sentences)
        if long := [i for i, tokens in enumerate(encoded) if len(tokens) > self.max_length]:
            on_long(long)
        encoded = [self._cut(tokens) for tokens in encoded]

        # Longest first: what does not fit into memory fails at once.
        order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
        order = [i for i in order if len(encoded[i]) > 1]
        rows = 1 if len(order) == 1 else self.batch_size
        done = len(encoded) - len(order)
        results = [("", 0.0)] * len(encoded)
        for start in range(0, len(order), rows):
            members = order[start : start + rows]
            source = self._padded([encoded[i] for i in members], rows)
            found = self._translate(self.params, source)
            tokens, scores = jax.device_get((found.tokens[:, 0], found.scores[:, 0]))
            for i, row, score in zip(members, tokens, scores, strict=False):
                results[i] = self.task.tokenizer.decode(row), float(score)
            done += len(members)
            if progress is not None:
                progress(done)
        return results

    def attention(
        self,
        sentence: str,
        translation: str | None = None,
        *,
        layer: int = -1,
        head: int | None = None,
    ) -> Attention:
        """Computes where the decoder looks while it writes a translation.

        Args:
            sentence: To translate; one that is too long is cut.
            translation: Of it; by default the translator's own.
            layer: Of the decoder, from 0; negative ones count from the last.
            head: Of the layer, from 0; by default the mean over all.

        Raises:
            ValueError: If there is no such layer or head, or the translation is too long.
        """
        layers, heads = self.task.model.num_layers[1], self.task.model.num_heads
        if not -layers <= layer < layers:
            raise ValueError(f"layer must be in [{-layers}, {layers}), got {layer}")
        if head is not None and not 0 <= head < heads:
            raise ValueError(f"head must be in [0, {heads}), got {head}")
        tokenizer = self.task.tokenizer
        source = self._cut(tokenizer.encode([sentence])[0])
        inputs = self._padded([source], 1)
        longest = inputs.shape[1] + self.task.extra_length
        if translation is None:
            found = np.asarray(self._translate(self.params, inputs).tokens[:, 0])[0]
            target = found[: np.flatnonzero(found == END)[0] + 1]
        else:
            target = tokenizer.encode([translation])[0]
        if len(target) > longest:
            raise ValueError(
                f"translation must be of at most {longest} tokens for this sentence, got "
                f"{len(target)}"
            )
        found = self._attend(self.params, inputs, pad([target], (1, longest)))
        weights = np.asarray(found)[layer, 0, :, : len(target), : len(source)]
        weights = weights.mean(axis=0) if head is None else weights[head]
        return Attention(weights, tokenizer.pieces(source), tokenizer.pieces(target))

    def _cut(self, tokens: np.ndarray) -> np.ndarray:
        """Cuts a sentence's tokens [T] to at most `max_length`, with END as the last."""
        if len(tokens) <= self.max_length:
            return tokens
        return np.append(tokens[: self.max_length - 1], np.int32(END))

    def _padded(self, sentences: Sequence[np.ndarray], rows: int) -> np.ndarray:
        """Puts sentences into an array of `rows` rows and one of the few lengths."""
        longest = max(map(len, sentences))
        length = _SHORTEST
        while length < longest:
            length *= 2
        return pad(sentences, (rows, min(length, self.max_length)))

    def _too_long(self, long: list[int]) -> None:
        more = " and others" if len(long) > 1 else ""
        raise ValueError(
            f"sentences must have at most {self.max_length} tokens, got number {long[0] + 1}{more}"
            ", which have more"
        )
