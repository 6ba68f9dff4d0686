"""A trained language model, which continues texts."""

import copy
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.text.word_tokenizer import END_OF_LINE_ID, UNKNOWN_ID
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.reports.language import report_language
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.inference.result import Result
from jaxvision.ops import ranges
from jaxvision.ops.sampling import sample_tokens
from jaxvision.plots.style import to_rgb
from jaxvision.plots.text import text_figure
from jaxvision.tasks.language_modelling import LanguageModelling
from jaxvision.train.evaluate import Evaluation

# Prompts are padded to a multiple of this, so that few programs are compiled.
_MULTIPLE = 16
# Texts in a report.
_REPORTED = 4


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        length: Tokens that follow the prompt.
        temperature: Divides the logits; 0 takes the most probable token.
        top_k: The k most probable tokens are drawn from; 0 for all.
        top_p: Of these, the fewest whose probabilities sum to at least p.
        stop: Whether a text ends with its line.
        seed: Another one draws another text.

    Raises:
        ValueError: If a number is out of its range.
    """

    length: int = 50
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = dataclasses.asdict(self)
        ranges.check(numbers, "[1, 100_000]", "length")
        ranges.check(numbers, "[0, 1_000]", "temperature")
        ranges.check(numbers, "[0, 10_000_000]", "top_k")
        ranges.check(numbers, "(0, 1]", "top_p")
        ranges.check(numbers, "[0, 4_294_967_295]", "seed")


@dataclasses.dataclass(frozen=True, eq=False)
class Continuation(Result):
    """A prompt and what follows it; `str()` of it is both.

    Attributes:
        prompt: The prompt.
        text: What follows.
        gap: What is between the two.
    """

    prompt: str
    text: str
    gap: str

    columns = ("prompt", "text")

    def __str__(self) -> str:
        joined = self.gap if self.prompt and not self.text.startswith("\n") else ""
        return f"{self.prompt}{joined}{self.text}"

    def plot(self) -> np.ndarray:
        """Draws the text, RGB [H, W, 3] uint8."""
        return to_rgb(text_figure(str(self)))

    def to_dict(self) -> dict[str, Any]:
        """Returns prompt and text as values that JSON can hold."""
        return {"prompt": self.prompt, "text": self.text}

    def summary(self) -> str:
        """Returns the prompt and what follows."""
        return str(self)

    def rows(self) -> list[dict[str, Any]]:
        """Returns one row, of prompt and text."""
        return [self.to_dict()]


class TextGenerator(Predictor):
    """Continues texts.

        model = jaxvision.load("runs/lstm")
        print(model.generate("the prince", length=40, temperature=0.8, top_p=0.9))
        [found.text for found in model(["the prince", "the old man"])]

    Attributes:
        sampling: How tokens are drawn.
        batch_size: Prompts continued at a time.
    """

    reads = "prompts"
    options = ("length", "temperature", "top_k", "top_p", "stop", "seed", "batch_size")
    formats = ("json", "csv")
    task: LanguageModelling

    def __init__(
        self,
        task: LanguageModelling,
        variables: Mapping[str, Any],
        *,
        sampling: Sampling | None = None,
        batch_size: int = 8,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: The network and its tokenizer.
            variables: {"params"} of the network.
            sampling: How tokens are drawn.
            batch_size: Prompts continued at a time.
            origin: The run that the variables come from.

        Raises:
            ValueError: If the batch size is below 1, or the vocabulary is another than that of the
                parameters.
        """
        ranges.check({"batch_size": batch_size}, "[1, 100_000]", "batch_size")
        task.tokenizer.check_size(len(variables["params"]["embedding"]["embedding"]))
        super().__init__(task, {"params": variables["params"]}, origin=origin)
        self.sampling = sampling or Sampling()
        self.batch_size = batch_size
        self._sample = jax.jit(self._sampled, static_argnames=("length", "how"))

    def replaced(self, *, batch_size: int | None = None, **options: Any) -> Self:
        """Returns a generator that draws otherwise; None keeps an option.

        Args:
            batch_size: Prompts continued at a time.
            **options: Fields of `Sampling`.

        Raises:
            ValueError: If a number is out of its range.
        """
        given = {name: value for name, value in options.items() if value is not None}
        # What is compiled is that of all copies.
        changed = copy.copy(self)
        changed.sampling = dataclasses.replace(self.sampling, **given)
        if batch_size is not None:
            ranges.check({"batch_size": batch_size}, "[1, 100_000]", "batch_size")
            changed.batch_size = batch_size
        return changed

    def generate(self, prompt: str = "", **options: Any) -> str:
        """Continues a text, or begins one.

        Args:
            prompt: Its beginning; empty for a new line.
            **options: Fields of `Sampling`.

        Returns:
            The prompt and what follows.

        Raises:
            ValueError: If a number is out of its range, or the text would be too long.
        """
        own = self.replaced(**options) if options else self
        return str(own(prompt))

    def __call__(self, inputs: str | Iterable[str]) -> Any:
        """Continues prompts.

        Args:
            inputs: A prompt, or several. Each is drawn with random numbers of its own.

        Returns:
            `Continuation` for one prompt, a list of them for several, in order.

        Raises:
            ValueError: If a text would be longer than the network's positions.
        """
        single = isinstance(inputs, str)
        prompts = [inputs] if isinstance(inputs, str) else list(inputs)
        found: list[Continuation] = []
        for start in range(0, len(prompts), self.batch_size):
            found += self._continued(prompts[start : start + self.batch_size], start)
        return found[0] if single else found

    def _continued(self, prompts: Sequence[str], start: int) -> list[Continuation]:
        encode, decode = self.task.tokenizer.encode, self.task.tokenizer.decode
        # Each text follows the end of a line.
        encoded = [[END_OF_LINE_ID, *_lines(prompt, encode)] for prompt in prompts]
        lengths = np.array([len(tokens) for tokens in encoded], np.int32)
        width = -(-int(lengths.max()) // _MULTIPLE) * _MULTIPLE
        length = width + self.sampling.length
        longest = getattr(self.task.model, "max_length", None)
        if longest is not None:
            length = min(length, longest)
            if length < lengths.max() + self.sampling.length:
                raise ValueError(
                    f"a prompt and what follows must be of at most {longest - 1} tokens, the "
                    f"positions of the network, got {lengths.max() - 1} and "
                    f"{self.sampling.length}; ask for a shorter text"
                )
        padded = np.zeros((len(prompts), min(width, length)), np.int32)
        for row, tokens in zip(padded, encoded, strict=True):
            row[: len(tokens)] = tokens
        key = jax.random.fold_in(jax.random.key(self.sampling.seed), start)
        # One program draws with every seed.
        how = dataclasses.replace(self.sampling, seed=0)
        tokens = np.asarray(self._sample(self.params, padded, lengths, key, length=length, how=how))
        gap = " " if self.task.tokenizer.unit == "word" else ""
        results = []
        for prompt, row, given in zip(prompts, tokens, lengths.tolist(), strict=True):
            own = row[given : given + self.sampling.length]
            if self.sampling.stop and END_OF_LINE_ID in own:
                own = own[: own.tolist().index(END_OF_LINE_ID)]
            results.append(Continuation(prompt, decode(own), gap))
        return results

    def _sampled(
        self,
        params: Any,
        prompts: jax.Array,
        lengths: jax.Array,
        key: jax.Array,
        *,
        length: int,
        how: Sampling,
    ) -> jax.Array:
        """Continues prompts [N, P]; `<unk>` is never drawn."""
        model = self.task.model

        def step(tokens: jax.Array, position: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
            found: Any = model.apply({"params": params}, tokens, position, cache, method="step")
            logits, cache = found
            return logits.at[:, UNKNOWN_ID].set(-jnp.inf), cache

        return sample_tokens(
            step,
            model.bind({"params": params}).empty_cache(len(prompts), length),
            prompts,
            lengths,
            key,
            length=length,
            temperature=how.temperature,
            top_k=how.top_k,
            top_p=how.top_p,
            end_id=END_OF_LINE_ID if how.stop else -1,
        )

    def program(self) -> Program:
        """Returns all that predicting the tokens of a window computes."""
        window, words = self.task.window, self.task.tokenizer.vocabulary_size

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(0)
            return (rng.integers(0, words, (batch, window)).astype(np.int32),)

        def apply(variables: Any, tokens: jax.Array) -> Any:
            return self.task.model.apply(variables, tokens, train=False)

        return Program(apply, inputs, f"text of {window} tokens")

    def served(self, *, nms: bool = False) -> Program:
        """Returns what a file for other runtimes computes: logits of each token, in float32."""
        if nms:
            raise ValueError("nms is for detectors, got a language model")
        model, own = self._task_in_float32().model, self.program()

        def apply(variables: Any, tokens: jax.Array) -> dict[str, jax.Array]:
            return {"logits": model.apply(variables, tokens, train=False)}

        return own._replace(apply=apply)

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: perplexity, and what the model writes."""
        del data
        return report_language(evaluation, [found.text for found in self([""] * _REPORTED)])


def _lines(prompt: str, encode: Any) -> list[int]:
    """Numbers a prompt, an end of line between its lines."""
    found: list[int] = []
    for i, line in enumerate(prompt.split("\n")):
        found += [END_OF_LINE_ID] if i else []
        found += encode(line)
    return found
