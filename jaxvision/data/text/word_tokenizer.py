"""Texts as numbers of words or characters, line by line."""

import collections
import json
from collections.abc import Iterable, Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.ops import ranges

# What stands for tokens beyond the vocabulary and for the end of a line, and their numbers.
UNKNOWN, END_OF_LINE = "<unk>", "<eos>"
UNKNOWN_ID, END_OF_LINE_ID = 0, 1
UNITS = ("word", "character")


class WordTokenizer:
    """The most frequent words or characters of a text; the others are one token.

    Attributes:
        unit: `word` or `character`.
        tokens: All tokens, `<unk>` and `<eos>` first, then by falling frequency.
    """

    def __init__(self, tokens: Sequence[str], unit: str = "word") -> None:
        """Takes a vocabulary.

        Args:
            tokens: All tokens, each once, `<unk>` and `<eos>` first.
            unit: `word` or `character`.

        Raises:
            ValueError: If they are no vocabulary.
        """
        if unit not in UNITS:
            raise ValueError(f"data.unit must be one of {', '.join(UNITS)}, got {unit}")
        self.unit = unit
        self.tokens = tuple(tokens)
        self._numbers = {token: i for i, token in enumerate(self.tokens)}
        if self.tokens[:2] != (UNKNOWN, END_OF_LINE) or len(self._numbers) != len(self.tokens):
            raise ValueError(
                f"expected a vocabulary of different tokens that begins with {UNKNOWN} and "
                f"{END_OF_LINE}, got {', '.join(self.tokens[:3])}, ... of {len(self.tokens)}"
            )

    @classmethod
    def train(
        cls, lines: Iterable[str], max_tokens: int, *, unit: str = "word", name: str = "the text"
    ) -> "WordTokenizer":
        """Takes the most frequent tokens of a text; ties are in the order of appearance.

        Args:
            lines: The text.
            max_tokens: How many are taken at most, besides `<unk>` and `<eos>`.
            unit: `word` or `character`.
            name: Of the text, for messages.

        Raises:
            DataError: If the text is empty.
            ValueError: If the number is out of its range, or there is no such unit.
        """
        ranges.check({"data.max_tokens": max_tokens}, "[1, 10_000_000]", "data.max_tokens")
        own = cls((UNKNOWN, END_OF_LINE), unit)
        found: collections.Counter[str] = collections.Counter()
        for line in lines:
            found.update(own.pieces(line))
        for token in (UNKNOWN, END_OF_LINE):  # as prepared texts have them
            found.pop(token, None)
        if not found:
            raise DataError(f"{name}: expected a text, got an empty one")
        return cls((*own.tokens, *(token for token, _ in found.most_common(max_tokens))), unit)

    @classmethod
    def from_json(cls, text: str) -> "WordTokenizer":
        """Reads what `json` wrote.

        Raises:
            ValueError: If it is something else.
        """
        found = json.loads(text)
        return cls(found["tokens"], found["unit"])

    def json(self) -> str:
        """Writes the vocabulary as JSON."""
        return json.dumps({"unit": self.unit, "tokens": self.tokens}, ensure_ascii=False)

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens, V."""
        return len(self.tokens)

    def check_size(self, rows: int) -> None:
        """Checks that embeddings of so many tokens are of this vocabulary.

        Raises:
            ValueError: If they are not.
        """
        if rows != self.vocabulary_size:
            raise ValueError(
                f"the tokenizer must have the {rows} tokens of the checkpoint, got one of "
                f"{self.vocabulary_size}"
            )

    def pieces(self, line: str) -> list[str]:
        """Splits a line into words or characters."""
        return line.split() if self.unit == "word" else list(line)

    def encode(self, line: str) -> list[int]:
        """Numbers the tokens of a line, without its end."""
        return [self._numbers.get(piece, UNKNOWN_ID) for piece in self.pieces(line)]

    def encode_text(self, lines: Iterable[str]) -> np.ndarray:
        """Numbers all tokens of a text, `<eos>` behind each line that is not empty [n] int32."""
        found: list[int] = []
        for line in lines:
            if numbers := self.encode(line):
                found += [*numbers, END_OF_LINE_ID]
        return np.array(found, np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        """Joins tokens to text; `<eos>` ends a line."""
        gap = " " if self.unit == "word" else ""
        lines: list[list[str]] = [[]]
        for token in tokens:
            if token == END_OF_LINE_ID:
                lines.append([])
            else:
                lines[-1].append(self.tokens[token])
        return "\n".join(gap.join(line) for line in lines)
