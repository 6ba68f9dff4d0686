"""Parallel text: opens it by the name of its format, and makes streams of batches of it."""

from typing import Any

import numpy as np

from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.readers.named import open_named
from jaxvision.data.readers.tfds import text_records
from jaxvision.data.stream import Stream
from jaxvision.data.text.buckets import Buckets
from jaxvision.data.text.limit import limit_length
from jaxvision.data.text.packing import PackedRows
from jaxvision.data.text.padding import CollatePairs, pad, token_lengths
from jaxvision.data.text.parallel import ParallelText, read_parallel
from jaxvision.data.text.shapes import assign, choose_shapes
from jaxvision.data.text.tokenizer import SubwordTokenizer
from jaxvision.ops import ranges

# Tokens of a packed row, where no sentence has more.
_ROW_LENGTH = 64


def translation_source(
    source: str,
    path: str | None,
    split: str,
    *,
    from_language: str,
    to_language: str,
    on_fault: OnFault = stop,
) -> ParallelText:
    """Opens one split of parallel text.

    Args:
        source: `parallel`, two files with a sentence a line, or `tfds:<name>`, for example
            `tfds:wmt16_translate/de-en`.
        path: Folder of the dataset.
        split: Name of the split in the format; see the readers.
        from_language: Language to translate from, by its name in the format: `en`, for example.
        to_language: Language to translate to.
        on_fault: Called with an error for every pair with an empty sentence; if it returns, the
            pair is dropped. By default the first one is raised.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If `source` is unknown.
    """
    options: dict[str, Any] = dict(source=from_language, target=to_language, on_fault=on_fault)
    readers = {"parallel": read_parallel}
    return open_named(source, path, split, readers, text_records, **options)


def train_stream(
    text: ParallelText,
    tokenizer: SubwordTokenizer,
    *,
    batch_tokens: int,
    buckets: int = 10,
    packing: bool = False,
    max_length: int = 256,
    long_sentences: str = "drop",
    multiple: int = 8,
    **options: Any,
) -> Stream:
    """Makes batches of `jaxvision.data.batch.TranslationBatch` that show each pair once an epoch.

    Args:
        text: The pairs.
        tokenizer: Turns sentences into tokens.
        batch_tokens: Upper limit of B times the longer of S and T of a batch.
        buckets: Upper limit of the number of shapes without packing; each is a program to compile.
        packing: Whether pairs share rows, in batches of one shape: of 64 tokens, of as many as the
            longest sentence has if it has more, but at most of `max_length`.
        max_length: Tokens that a sentence may have in either language.
        long_sentences: What happens to longer ones: `drop`, `cut` or `error`.
        multiple: B is a multiple of it; it must be one of the number of devices.
        **options: `seed`, `num_workers` and `prefetch` of `Stream`.

    Returns:
        The stream; its `plan.describe()` says how the pairs fill the batches.

    Raises:
        DataError: If there is no pair, one does not fit into a batch, or one is too long and
            `long_sentences` is `error`.
        ValueError: If a number is out of its range, or there is no such rule.
    """
    numbers = dict(batch_tokens=batch_tokens, multiple=multiple, max_length=max_length)
    ranges.check(numbers, "[1, 10_000_000]", "batch_tokens", "multiple")
    ranges.check(numbers, "[1, 1_000_000]", "max_length")
    sides = tokenizer.encode(text.source), tokenizer.encode(text.target)
    limited = limit_length(*sides, max_length, long_sentences, text.place)
    sizes = dict(batch_tokens=batch_tokens, multiple=multiple)
    if packing:
        # Attention takes the square of a row's length, so rows are as short as they can be.
        longest = int(limited.lengths.max())
        row_length = min(max(longest, _ROW_LENGTH), max_length)
        plan = PackedRows(limited, row_length=row_length, **sizes)
    else:
        plan = Buckets(limited, buckets=buckets, **sizes)
    collate = CollatePairs(limited.source, limited.target)
    return Stream(plan, None, collate, name=text.name, digest=text.digest, **options)


def eval_stream(
    text: ParallelText,
    tokenizer: SubwordTokenizer,
    *,
    batch_size: int,
    buckets: int = 2,
    **options: Any,
) -> Stream:
    """Makes a pass over all pairs in batches of a few shapes, with `mask` and `truth`.

    Args:
        text: The pairs; `truth` holds the translations as they are read.
        tokenizer: As for `train_stream`.
        batch_size: Sentences in a batch, B.
        buckets: Upper limit of the number of shapes; each is a program to compile.
        **options: `num_workers` and `prefetch` of `Stream`.

    Raises:
        DataError: If there is no pair.
        ValueError: If a number is out of its range.
    """
    if not len(text.source):
        raise DataError("the evaluation split has no sentences; expected at least one pair")
    sides = tokenizer.encode(text.source), tokenizer.encode(text.target)
    lengths = token_lengths(*sides)
    shapes = choose_shapes(lengths, buckets)
    assigned = assign(lengths, shapes)

    def example(index: int, rng: np.random.Generator) -> dict[str, np.ndarray | str]:
        del rng
        source, target = (
            pad([side[index]], (1, length))[0]
            for side, length in zip(sides, shapes[assigned[index]], strict=True)
        )
        return {
            "source": source,
            "target": target,
            "index": np.asarray(index, np.int32),
            "truth": text.target[index],
        }

    groups = [np.flatnonzero(assigned == k) for k in range(len(shapes))]
    plan = InOrder(len(text.source), batch_size, groups)
    return Stream(plan, example, name=text.name, digest=text.digest, **options)
