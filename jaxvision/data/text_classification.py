"""Texts with classes: opens them by the name of their format, and makes streams of batches."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.by_length import ByLength
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.plan import Rows
from jaxvision.data.readers.named import open_named
from jaxvision.data.readers.text_classes import text_folder, text_table
from jaxvision.data.readers.tfds import text_class_records
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.drawn_opinions import CLASSES, drawn_opinions
from jaxvision.data.stream import Stream
from jaxvision.data.text.classes import TextClasses
from jaxvision.data.text.padding import pad
from jaxvision.data.text.shapes import assign, choose_shapes

# Seed and part of the texts of each drawn split.
_DRAWN = {"train": (0, 1), "val": (1, 8), "test": (2, 8)}
Encode = Callable[[str], np.ndarray]


def text_source(
    source: str,
    path: str | None,
    split: str,
    *,
    texts: int = 0,
    classes: tuple[str, ...] | None = None,
) -> TextClasses:
    """Opens one split of texts with classes.

    Args:
        source: `drawn`, `folder`, `table` or `tfds:<name>`, as `tfds:imdb_reviews`.
        path: Folder of the dataset; none for `drawn`.
        split: Name of the split in the format; of `drawn` one of train, val, test.
        texts: Number that is drawn for training, and eight times those of the others.
        classes: The classes, in order, where another split has set them.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If there is no such source or drawn split.
    """
    if source != "drawn":
        readers = {"folder": text_folder, "table": text_table}
        return open_named(
            source, path, split, readers, text_class_records, first=("drawn",), classes=classes
        )
    check_no_path(source, path)
    if split not in _DRAWN:
        raise ValueError(f"a split of drawn texts is one of {', '.join(_DRAWN)}, got {split!r}")
    seed, part = _DRAWN[split]
    found, labels = drawn_opinions(texts // part, seed=seed)
    places = [f"{split}[{i}]" for i in range(len(found))]
    return TextClasses(found, labels, CLASSES, places, f"drawn {split}")


def train_stream(
    source: TextClasses, encode: Encode, *, batch_size: int, buckets: int, **options: Any
) -> Stream:
    """Makes batches of `jaxvision.data.batch.TextBatch`, each text at most once an epoch.

    Args:
        source: The texts.
        encode: Maps a text to tokens [n] int32.
        batch_size: Texts in a batch, B.
        buckets: Upper limit of the number of lengths T; each is a program to compile.
        **options: Of `Stream`.

    Raises:
        DataError: If a text has no token, or there are fewer than a batch.
        ValueError: If a number is out of its range.
    """
    tokens, groups, lengths = _by_length(source, encode, buckets)

    def collate(examples: Sequence[int], rows: Rows) -> dict[str, np.ndarray]:
        (length,) = rows.shape or (0,)
        return {
            "tokens": pad([tokens[i] for i in examples], (len(examples), length)),
            "length": np.array([len(tokens[i]) for i in examples], np.int32),
            "label": source.labels[rows.index],
            "index": rows.index.astype(np.int32),
        }

    plan = ByLength(groups, lengths, batch_size)
    return Stream(plan, None, collate, name=source.name, digest=source.digest, **options)


def eval_stream(
    source: TextClasses, encode: Encode, *, batch_size: int, buckets: int, **options: Any
) -> Stream:
    """Makes a pass over all texts, with `mask`; arguments and errors as of `train_stream`."""
    tokens, groups, lengths = _by_length(source, encode, buckets)
    padded_to = np.zeros(len(tokens), int)
    for group, length in zip(groups, lengths, strict=True):
        padded_to[group] = length

    def example(index: int, rng: np.random.Generator) -> dict[str, Any]:
        del rng
        return {
            "tokens": pad([tokens[index]], (1, int(padded_to[index])))[0],
            "length": np.int32(len(tokens[index])),
            "label": source.labels[index],
            "index": np.int32(index),
        }

    plan = InOrder(len(tokens), batch_size, groups)
    return Stream(plan, example, name=source.name, digest=source.digest, **options)


def _by_length(
    source: TextClasses, encode: Encode, buckets: int
) -> tuple[list[np.ndarray], list[np.ndarray], list[int]]:
    """Returns the tokens of all texts, the texts of each length, and the lengths."""
    tokens = [encode(text) for text in source.texts]
    sizes = np.array(list(map(len, tokens)))
    if not sizes.all():
        raise DataError(f"{source.name(int(sizes.argmin()))}: expected words, got none")
    pairs = np.stack([sizes, np.ones_like(sizes)], axis=1)
    shapes = choose_shapes(pairs, buckets)
    assigned = assign(pairs, shapes)
    groups = [np.flatnonzero(assigned == k) for k in range(len(shapes))]
    return tokens, groups, [shape.source for shape in shapes]
