"""A trained Transformer, applied to sentences."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxvision.data.text.padding import pad
from jaxvision.data.text.tokenizer import END, SubwordTokenizer
from jaxvision.tasks.task import Params
from jaxvision.tasks.translation import Translation
from jaxvision.tasks.translation_config import translation_from_config
from jaxvision.train.checkpoint import read_checkpoint
from jaxvision.train.precision import compute_dtype
from jaxvision.train.workdir import read_config

# Tokens of the shortest batches; the next ones are twice as long, and so on.
_SHORTEST = 16


class Attention(NamedTuple):
    """Where a decoder looked as it wrote a translation.

    Attributes:
        weights: By token of the translation and token of the source [T, S] float32; rows sum to 1.
        source: The source's tokens, as text.
        target: The translation's.
    """

    weights: np.ndarray
    source: list[str]
    target: list[str]


class Translator:
    """Translates sentences.

        translator = Translator.from_workdir("runs/transformer_multi30k")
        translator(["A man sleeps.", "Two dogs run."])  # two German ones

    The sentences of a batch have nearly the same length, and a batch is of one of a few lengths:
    each of these is a program that is compiled when it is first needed. A sentence alone has
    programs of its own, as on a keyboard one waits for it.

    Attributes:
        task: Holds the network, the tokenizer and the options of the search.
        params: The network's parameters, on the default device.
        max_length: Tokens of the longest sentences, their end included.
        batch_size: Sentences translated at a time.
    """

    def __init__(
        self, task: Translation, params: Params, *, max_length: int = 128, batch_size: int = 64
    ) -> None:
        """Puts the parameters on the default device.

        Args:
            task: The network, the tokenizer and the options of the search.
            params: The network's parameters.
            max_length: Tokens that a sentence may have, its end included.
            batch_size: Sentences to translate at a time.

        Raises:
            ValueError: If a number is out of its range, or the parameters are of another vocabulary
                than the tokenizer.
        """
        for name, value, least in (("max_length", max_length, 2), ("batch_size", batch_size, 1)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        rows = len(params["embedding"]["embedding"])
        if rows != task.tokenizer.vocabulary_size:
            raise ValueError(
                f"the tokenizer must have the {rows} subwords of the checkpoint, got one of "
                f"{task.tokenizer.vocabulary_size}"
            )
        self.task = task
        self.params = jax.device_put(params)
        self.max_length = max_length
        self.batch_size = batch_size
        self._best = jax.jit(lambda *inputs: task.translate(*inputs).tokens[:, 0])
        self._attend = jax.jit(task.cross_attention)

    @classmethod
    def from_workdir(
        cls,
        workdir: str | os.PathLike[str],
        *,
        step: int | None = None,
        beam_size: int | None = None,
        alpha: float | None = None,
        batch_size: int = 64,
    ) -> "Translator":
        """Reads a run of `configs/transformer_multi30k.py`, finished or not.

        Args:
            workdir: The folder of the run.
            step: Which checkpoint; by default the one with the best metric, or the newest where
                none was evaluated.
            beam_size: Hypotheses of a sentence; by default as in the run's evaluation.
            alpha: Exponent of the length penalty; by default likewise.
            batch_size: Sentences to translate at a time.

        Raises:
            FileNotFoundError: If the folder holds no run, or no checkpoint yet.
            ValueError: If it holds another kind of run, there is no checkpoint of that step, or a
                number is out of its range.
        """
        folder = pathlib.Path(workdir)
        config = read_config(folder)
        try:
            dtype = compute_dtype(config["dtype"])
            longest = config["data"]["max_length"]
            # After its config: without one, the folder is not one of a run at all.
            tokenizer = SubwordTokenizer.load(folder / "tokenizer.json")
            task = translation_from_config(config, tokenizer, dtype=dtype)
        except KeyError as error:
            raise ValueError(
                f"{workdir} must be a run of configs/transformer_multi30k.py, but its config has "
                f"no {error.args[0]}"
            ) from error
        options = {"beam_size": beam_size, "alpha": alpha}
        task = dataclasses.replace(task, **{k: v for k, v in options.items() if v is not None})
        variables, _ = read_checkpoint(folder, step)
        return cls(task, variables["params"], max_length=longest, batch_size=batch_size)

    def __call__(
        self,
        sentences: Sequence[str],
        *,
        on_long: Callable[[list[int]], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[str]:
        """Translates sentences; the translation of an empty one is empty.

        Args:
            sentences: In any order and of any lengths.
            on_long: Is told, before anything is translated, which sentences have more than
                `max_length` tokens; if it returns, they are cut there. By default they are refused.
            progress: Is told, after each batch, how many sentences are done.

        Raises:
            ValueError: If a sentence is too long, unless `on_long` accepts that.
        """
        encoded = self.task.tokenizer.encode(sentences)
        long = [i for i, tokens in enumerate(encoded) if len(tokens) > self.max_length]
        if long:
            (on_long or self._refuse)(long)
        encoded = [self._cut(tokens) for tokens in encoded]

        # Longest first: what does not fit into memory fails at once.
        order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
        order = [i for i in order if len(encoded[i]) > 1]
        rows = 1 if len(order) == 1 else self.batch_size
        done = len(encoded) - len(order)
        texts = [""] * len(encoded)
        for start in range(0, len(order), rows):
            members = order[start : start + rows]
            source = self._padded([encoded[i] for i in members], rows)
            found = np.asarray(self._best(self.params, source))
            for i, tokens in zip(members, found, strict=False):
                texts[i] = self.task.tokenizer.decode(tokens)
            done += len(members)
            if progress is not None:
                progress(done)
        return texts

    def attention(
        self,
        sentence: str,
        translation: str | None = None,
        *,
        layer: int = -1,
        head: int | None = None,
    ) -> Attention:
        """Tells where the decoder looks as it writes a translation.

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
            found = np.asarray(self._best(self.params, inputs))[0]
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
        """Cuts a sentence's tokens [T] to at most `max_length`, END again their last."""
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

    def _refuse(self, long: list[int]) -> None:
        more = " and others" if len(long) > 1 else ""
        raise ValueError(
            f"sentences must be of at most {self.max_length} tokens, got number {long[0] + 1}{more}"
            ", which are longer"
        )
