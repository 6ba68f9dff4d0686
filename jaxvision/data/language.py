"""Texts for language models, and their streams of tokens."""

import hashlib
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.lanes import Lanes
from jaxvision.data.stream import Stream
from jaxvision.data.text.parallel import read_lines
from jaxvision.data.text.word_tokenizer import END_OF_LINE_ID, UNKNOWN_ID, WordTokenizer
from jaxvision.data.words import find_text


class Text(NamedTuple):
    """A text.

    Attributes:
        lines: Those that are not empty.
        name: For messages.
    """

    lines: Sequence[str]
    name: str


class Tokens(NamedTuple):
    """A text as numbers.

    Attributes:
        tokens: [n] int32, each line with its end.
        name: Of the text.
    """

    tokens: np.ndarray
    name: str

    def describe(self) -> str:
        """Says how many tokens there are."""
        unknown = (self.tokens == UNKNOWN_ID).mean()
        return f"{self.name}: {len(self.tokens):,} tokens, {unknown:.1%} of them unknown"

    def digest(self) -> str:
        """Sums up all tokens: SHA-256."""
        return hashlib.sha256(self.tokens.tobytes()).hexdigest()


def read_text(path: str, split: str) -> Text:
    """Reads a text, `.gz` or not.

    Args:
        path: A file, or the folder of several, as `jaxvision.data.words.find_text` takes it.
        split: Name of the file, where `path` is a folder.

    Raises:
        DataError: If there is no such file, it is empty, broken or not UTF-8.
    """
    file = find_text(pathlib.Path(path).expanduser(), split)
    lines = [line for line in read_lines(file) if line]
    if not lines:
        raise DataError(f"{file} is empty, expected a text")
    return Text(lines, str(file))


def tokens_of(text: Text, tokenizer: WordTokenizer) -> Tokens:
    """Numbers a text.

    Raises:
        DataError: If it is empty.
    """
    tokens = tokenizer.encode_text(text.lines)
    if not len(tokens):
        raise DataError(f"{text.name}: expected a text, got an empty one")
    return Tokens(tokens, text.name)


def train_stream(
    text: Tokens, *, batch_size: int, window: int, shifted: bool, **options: Any
) -> Stream:
    """Makes batches of `jaxvision.data.batch.LanguageBatch` that continue one another.

    Args:
        text: What is read.
        batch_size: Lanes, B.
        window: Tokens of a row, T.
        shifted: As for `Lanes`.
        **options: Of `Stream`.

    Raises:
        DataError: If the text is too short.
        ValueError: If a number is out of its range.
    """
    plan = Lanes(len(text.tokens), batch_size=batch_size, window=window, shifted=shifted)
    # The first token is predicted from the end of a line.
    before = np.concatenate([[np.int32(END_OF_LINE_ID)], text.tokens])

    def example(start: int, rng: np.random.Generator) -> dict[str, Any]:
        del rng
        return {
            "inputs": before[start : start + window],
            "targets": text.tokens[start : start + window],
            "first": np.bool_(start % plan.length < window),
            "index": np.int32(start),
        }

    return Stream(plan, example, name=_at(text), digest=text.digest, **options)


def eval_stream(
    text: Tokens, *, batch_size: int, window: int, context: int, **options: Any
) -> Stream:
    """Makes one batch of the whole text in lanes, each token of which counts once.

    Args:
        text: What is read.
        batch_size: Lanes, B.
        window: The length of a lane is a multiple of it.
        context: Tokens before a lane that its row holds too.
        **options: Of `Stream`.

    Returns:
        Rows of inputs [context + n] int32, targets and valid [n].
    """
    size = len(text.tokens)
    length = window * math.ceil(size / (batch_size * window))
    lanes = math.ceil(size / length)
    # The first token is predicted from the end of a line.
    padded = np.full(1 + context + lanes * length, END_OF_LINE_ID, np.int32)
    padded[1 + context :][:size] = text.tokens

    def example(lane: int, rng: np.random.Generator) -> dict[str, Any]:
        del rng
        start = lane * length
        return {
            "inputs": padded[start : start + context + length],
            "targets": padded[1 + context + start :][:length],
            "valid": np.arange(start, start + length) < size,
            "index": np.int32(lane),
        }

    return Stream(
        InOrder(lanes, batch_size), example, name=_at(text), digest=text.digest, **options
    )


def _at(text: Tokens) -> Callable[[int], str]:
    return lambda start: f"{text.name}, from token {start:,}"
