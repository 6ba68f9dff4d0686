"""word2vec's text format: a line with V and D, then a line with a word and its D numbers each."""

import gzip
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.files import write_whole
from jaxvision.data.text.parallel import read_lines


def write_vectors(
    path: str | os.PathLike[str], words: Sequence[str], vectors: np.ndarray
) -> pathlib.Path:
    """Writes words and their vectors; a file ending in .gz is compressed.

    The numbers have nine digits, so that reading gives the same float32.

    Args:
        path: The file; missing folders are made.
        words: Of the vectors; white space in them becomes `_`, as it separates the numbers.
        vectors: [V, D].

    Raises:
        OSError: If the file cannot be written.
    """
    path = pathlib.Path(path)

    def lines() -> Iterator[str]:
        yield f"{len(words)} {vectors.shape[1]}\n"
        for word, vector in zip(words, vectors.tolist(), strict=True):
            yield " ".join(["_".join(word.split()), *(f"{x:.9g}" for x in vector)]) + "\n"

    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(lines()).encode()
    write_whole(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def read_vectors(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads what `write_vectors`, word2vec or gensim wrote as text.

    Returns:
        The words, and their vectors [V, D] float32.

    Raises:
        DataError: If the file is missing or has a fault.
    """
    file = pathlib.Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"expected a file of vectors, got {file}, which is not one")
    lines = read_lines(file)
    first = next(lines, "").split()
    if len(first) != 2 or not all(each.isdecimal() and len(each) < 10 for each in first):
        raise DataError(f"{file}:1: expected the numbers of words and of values, got {first[:3]}")
    count, size = map(int, first)
    words: list[str] = []
    rows: list[np.ndarray] = []
    for line, text in enumerate(lines, 2):
        parts = text.rsplit(maxsplit=size) if size else []
        if len(parts) != size + 1:
            raise DataError(f"{file}:{line}: expected a word and {size} numbers, got {text[:40]!r}")
        try:
            row = np.array(parts[1:], np.float32)
        except ValueError as error:
            raise DataError(f"{file}:{line}: expected {size} numbers: {error}") from error
        if not np.isfinite(row).all():
            raise DataError(f"{file}:{line}: expected finite numbers, got NaN or infinity")
        words.append(parts[0])
        rows.append(row)
    if len(words) != count or not count:
        raise DataError(f"{file}: expected {count} words, as its first line says, got {len(words)}")
    if len(set(words)) != len(words):
        raise DataError(f"{file}: expected different words, got one of them twice")
    return tuple(words), np.stack(rows)
