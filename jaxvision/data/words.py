"""Texts for word embeddings: files with a sentence a line, and their streams of blocks."""

import hashlib
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.plan import Rows
from jaxvision.data.plans.word_blocks import Tokens, WordBlocks
from jaxvision.data.stream import Stream
from jaxvision.data.text.parallel import read_lines
from jaxvision.data.text.vocabulary import BREAK, Vocabulary, encode

_ENDINGS = ("", ".txt", ".gz", ".txt.gz")


class Sentences(NamedTuple):
    """Sentences, documents or baskets, each a list of words.

    Attributes:
        lists: Their words.
        name: Of the text, for messages.
    """

    lists: Sequence[Sequence[str]]
    name: str

    def digest(self) -> str:
        """Sums up all words: SHA-256."""
        hashed = hashlib.sha256()
        for words in self.lists:
            hashed.update(f"{' '.join(words)}\n".encode())
        return hashed.hexdigest()


def read_sentences(path: str, split: str, *, lower: bool = False) -> Sentences:
    """Reads a text with a sentence, a document or a basket on each line, `.gz` or not.

    Args:
        path: A file, or the folder of several: `<split>`, `<split>.txt`, `<anything>.<split>.txt`
            or the same with `.gz`.
        split: Name of the file, where `path` is a folder.
        lower: Whether capital letters become small ones.

    Raises:
        DataError: If there is no such file, it is empty, broken or not UTF-8.
    """
    file = find_text(pathlib.Path(path).expanduser(), split)
    lines = (line.lower() if lower else line for line in read_lines(file))
    lists = [words for line in lines if (words := line.split())]
    if not lists:
        raise DataError(f"{file} is empty, expected a sentence a line")
    return Sentences(lists, str(file))


def find_text(path: pathlib.Path, split: str) -> pathlib.Path:
    """Finds the file of a split, or takes the one file that the path names.

    Raises:
        DataError: If there is no such file, or there are several.
    """
    if path.is_file():
        return path
    names = [f"{split}{ending}" for ending in _ENDINGS]
    found = [path / name for name in names if (path / name).is_file()]
    found = found or sorted(file for name in names[1:] for file in path.glob(f"*.{name}"))
    if len(found) != 1:
        raise DataError(
            f"expected the text {path / split}.txt or .txt.gz, got {len(found)} files of that name;"
            " set data.path to a text file, or to the folder of several"
        )
    return found[0]


def tokens_of(sentences: Iterable[Sequence[str]], vocabulary: Vocabulary) -> Tokens:
    """Numbers the words of sentences and, from 0, the sentences themselves."""
    words = encode(sentences, vocabulary)
    ends = words == BREAK
    return Tokens(words, (np.cumsum(ends) - ends).astype(np.int32))


class WordStream(Stream):
    """Batches of blocks of words; what is counted for the speed are words."""

    def rows(self, batch: Mapping[str, Any]) -> int:
        """Counts the centres of a batch."""
        plan: Any = self.plan
        return len(batch["tokens"]) * plan.block


def word_stream(
    plan: WordBlocks,
    *,
    constants: Mapping[str, np.ndarray] | None = None,
    digest: Callable[[], str] | None = None,
    **options: Any,
) -> Stream:
    """Makes batches of `jaxvision.data.batch.WordBatch`.

    Args:
        plan: Cuts the blocks.
        constants: Further arrays of each batch, where they are not constants of the run.
        digest: Sums up the text.
        **options: Of `Stream`.
    """
    more = dict(constants or {})

    def collate(examples: Sequence[Any], rows: Rows) -> dict[str, Any]:
        del examples
        index = rows.index
        if index.ndim == 2:
            return {"tokens": index, **more}
        return {"tokens": index[:, 0], "documents": index[:, 1], **more}

    # A step changes the tables part by part, so every device makes all of it.
    axes = dict.fromkeys(("tokens", "documents", "mask", *more))
    return WordStream(plan, None, collate, axes=axes, digest=digest, **options)


def read_questions(path: str, vocabulary: Vocabulary, *, lower: bool = False) -> np.ndarray:
    """Reads analogies as `questions-words.txt` has them: four words a line, `:` before a title.

    Args:
        path: The file.
        vocabulary: Questions with other words are left out.
        lower: Whether capital letters become small ones.

    Returns:
        [Q, 4] int32: "a is to b as c is to d".

    Raises:
        DataError: If a line has other than four words, or no question is left.
    """
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"expected a file of analogies, got {file}, which is not one")
    numbers, found = vocabulary.numbers, []
    for line, text in enumerate(read_lines(file), 1):
        words = (text.lower() if lower else text).split()
        if not words or words[0].startswith(":"):
            continue
        if len(words) != 4:
            raise DataError(f"{file}:{line}: expected four words, got {len(words)}")
        if all(word in numbers for word in words):
            found.append([numbers[word] for word in words])
    if not found:
        raise DataError(f"{file}: no analogy has all of its four words in the vocabulary")
    return np.array(found, np.int32)


def question_stream(questions: np.ndarray, batch_size: int) -> Stream:
    """Makes batches of analogies: `questions` [B, 4], `index` and `mask` [B]."""

    def example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        del rng
        return {"questions": questions[index], "index": np.int32(index)}

    return Stream(InOrder(len(questions), batch_size), example)
