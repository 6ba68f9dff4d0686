"""Parallel text: sentences and their translations, from two files with a sentence a line."""

import gzip
import hashlib
import pathlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from jaxvision.data.errors import DataError, OnFault, stop

# Bytes that a byte of a compressed file may stand for; of text it is below 10.
_LARGEST_RATIO = 30


class ParallelText(NamedTuple):
    """Sentences and their translations.

    Attributes:
        source: In the language to translate from.
        target: The same sentences in the other.
        place: Maps the number of a pair to its place in the files: `train.en:17`, for example.
    """

    source: list[str]
    target: list[str]
    place: Callable[[int], str]

    def name(self, index: int) -> str:
        """Names a pair by its place and its source sentence."""
        return f"{self.place(index)}: {self.source[index]}"

    def digest(self) -> str:
        """Sums up all sentences: SHA-256."""
        hashed = hashlib.sha256()
        for side in (self.source, self.target):
            for sentence in side:
                hashed.update(f"{sentence}\n".encode())
        return hashed.hexdigest()


def read_parallel(
    folder: str | pathlib.Path,
    split: str,
    *,
    source: str,
    target: str,
    on_fault: OnFault = stop,
) -> ParallelText:
    """Reads `<folder>/<split>.<language>` or `<folder>/<split>.<language>.gz` for two languages.

    Args:
        folder: Folder of the files.
        split: `train`, for example.
        source: File extension of the language to translate from: `en`, for example.
        target: File extension of the language to translate to.
        on_fault: Called with an error for every pair with an empty sentence; if it returns, the
            pair is dropped.

    Raises:
        DataError: If a file is missing, broken or not UTF-8, or the two do not have the same number
            of lines; the message names file and line.
    """
    files = [_find(pathlib.Path(folder), f"{split}.{language}") for language in (source, target)]
    sentences = [list(read_lines(file)) for file in files]
    if len(sentences[0]) != len(sentences[1]):
        counts = ", ".join(f"{f} has {len(s)}" for f, s in zip(files, sentences, strict=True))
        raise DataError(
            f"both files must have the same number of lines, one sentence each, got: {counts}; "
            "look for a sentence that spans two lines, or for a truncated file",
        )
    if not sentences[0]:
        raise DataError(f"{files[0]} is empty, expected a sentence a line")
    kept = []
    for line, pair in enumerate(zip(*sentences, strict=True), 1):
        empty = [str(file) for file, sentence in zip(files, pair, strict=True) if not sentence]
        if empty:
            fault = (
                f"{empty[0]}:{line}: expected a sentence, got an empty line; write it, delete line "
                f"{line} of both files, or set data.empty_lines to drop"
            )
            on_fault(DataError(fault))
        else:
            kept.append(line)
    return ParallelText(
        *([each[line - 1] for line in kept] for each in sentences),
        place=lambda index: f"{files[0].name}:{kept[index]}",
    )


def _find(folder: pathlib.Path, name: str) -> pathlib.Path:
    for file in (folder / name, folder / f"{name}.gz"):
        if file.is_file():
            return file
    raise DataError(
        f"{folder / name} does not exist, and neither does {name}.gz; set data.path to the folder "
        "that holds it",
    )


def read_lines(file: pathlib.Path) -> Iterator[str]:
    """Yields the lines of a file, `.gz` or not, without surrounding white space.

    Raises:
        DataError: If the file is broken or not UTF-8; the message names file and line.
        OSError: If it cannot be opened.
    """
    if file.suffix != ".gz":
        with file.open("rb") as stream:
            yield from decode_lines(stream, str(file))
        return
    with gzip.open(file) as stream:
        yield from decode_lines(_bounded(stream, file), str(file))


def _bounded(stream: gzip.GzipFile, file: pathlib.Path) -> Iterator[bytes]:
    """Yields lines; DataError if they are far more than text can be compressed to."""
    left = _LARGEST_RATIO * file.stat().st_size + (1 << 20)
    while raw := stream.readline(left + 1):
        left -= len(raw)
        if left < 0:
            raise DataError(
                f"{file}: expected compressed text, got more than {_LARGEST_RATIO} times the bytes "
                "of the file; unpack it to use it all the same"
            )
        yield raw


def decode_lines(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """Yields lines of bytes as text, without surrounding white space.

    Raises:
        DataError: If the stream is broken or not UTF-8; the message has its name and the line.
    """
    # Python would also split text at characters that do not end a line of the file.
    line = 0
    try:
        for line, raw in enumerate(stream, 1):
            yield raw.decode("utf-8-sig" if line == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}:{line}: expected UTF-8, got byte 0x{error.object[error.start]:02x} at "
            f"place {error.start + 1}; convert the file, for example by iconv -f latin1 -t utf-8",
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{name}:{line + 1}: the compressed data is broken here: {error}; copy or download the "
            "file again",
        ) from error
