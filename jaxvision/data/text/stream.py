"""Batches of sentence pairs, each of one of a few shapes."""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import grain
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.pipeline import EvalStream, read_batches
from jaxvision.data.text.buckets import Buckets, Shape, assign, choose_shapes
from jaxvision.data.text.limit import limit_length
from jaxvision.data.text.packing import PackedRows
from jaxvision.data.text.padding import Tokens, pad, token_lengths


class Layout(Protocol):
    """How the pairs of an epoch lie in its batches.

    Attributes:
        shapes: Lengths of source and target, smallest first.
        batch_sizes: B of each of them.
        padding: Share of an epoch's tokens that are padding.
        pairs_per_row: At most.
    """

    shapes: list[Shape]
    batch_sizes: list[int]
    padding: float
    pairs_per_row: int

    def plan(self, rng: np.random.Generator) -> Sequence[Any]:
        """Draws the batches of an epoch, as many whatever is drawn."""
        ...

    def batch(self, planned: Any, source: Tokens, target: Tokens) -> dict[str, np.ndarray]:
        """Makes one of them."""
        ...


class TranslationTrainStream:
    """Endless training batches; batch number `step` depends on the seed and on nothing else.

    Each epoch shows every pair once, in a row of its own or, packed, with others.

    Attributes:
        steps_per_epoch: Batches an epoch.
        too_long: Pairs of which a sentence was longer than `max_length`.
        shapes: Lengths of source and target, smallest first.
        batch_sizes: B of each of them.
        padding: Share of an epoch's tokens that are padding.
    """

    def __init__(
        self,
        source: Tokens,
        target: Tokens,
        *,
        batch_tokens: int,
        buckets: int,
        seed: int,
        num_workers: int,
        packing: bool = False,
        max_length: int = 256,
        long_sentences: str = "leave_out",
        multiple: int = 8,
        prefetch: int = 4,
        name: Callable[[int], str] = str,
    ) -> None:
        """Describes a stream.

        Args:
            source: Tokens of each sentence [S], its end included.
            target: Tokens of its translation [T], its end included.
            batch_tokens: B times the longer of S and T of a batch, at most.
            buckets: Shapes, at most, where nothing is packed; each is a program to compile.
            seed: Orders the epochs; in [0, 2^32).
            num_workers: Threads; 0 makes the batches in the calling thread.
            packing: Whether pairs share rows of `max_length` tokens, all batches of one shape.
            max_length: Tokens that a sentence may have in either language.
            long_sentences: What becomes of longer ones, see `limit_length`.
            multiple: B is a multiple of it; that of the number of devices.
            prefetch: Batches held ready or in the making.
            name: Names a pair by its index, for messages.

        Raises:
            DataError: If there is no pair, one fits into no batch, or one is too long and such are
                refused.
            ValueError: If a number is out of its range, or there is no such rule.
        """
        for field, value, least in (
            ("batch_tokens", batch_tokens, 1),
            ("multiple", multiple, 1),
            ("num_workers", num_workers, 0),
            ("prefetch", prefetch, 1),
        ):
            if value < least:
                raise ValueError(f"{field} must be at least {least}, got {value}")
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed must be in [0, 2**32), got {seed}")
        found = limit_length(source, target, max_length, long_sentences, name)
        self.too_long = found.too_long
        self._cut = long_sentences == "cut"
        self._source, self._target = found.source, found.target
        lengths = token_lengths(found.source, found.target)[found.kept]
        fields = dict(batch_tokens=batch_tokens, multiple=multiple)
        self._layout: Layout = (
            PackedRows(found.kept, lengths, row_length=max_length, **fields)
            if packing
            else Buckets(found.kept, lengths, buckets=buckets, **fields)
        )
        self.shapes, self.batch_sizes = self._layout.shapes, self._layout.batch_sizes
        self.padding = self._layout.padding
        self._seed = seed
        self._num_workers = num_workers
        self._prefetch = prefetch
        self._plan = functools.lru_cache(maxsize=2)(self._make_plan)
        self.steps_per_epoch = len(self._plan(0))

    def batches(self, start_step: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """Yields the batches from a step on, without end.

        Args:
            start_step: Steps already done.

        Yields:
            Batches as `jaxvision.data.batch.TranslationBatch` describes them. `close()` on the
            iterator stops the workers.
        """
        if start_step < 0:
            raise ValueError(f"start_step must be at least 0, got {start_step}")
        steps = grain.MapDataset.range(start_step, sys.maxsize).map(self._batch)
        return read_batches(steps, self._num_workers, self._prefetch)

    def describe(self) -> str:
        """Tells the shapes in a line."""
        shapes = ", ".join(
            f"{b} x {s.source}+{s.target}"
            for b, s in zip(self.batch_sizes, self.shapes, strict=True)
        )
        packed = self._layout.pairs_per_row
        return (
            f"batches of {shapes} tokens{f', up to {packed} pairs a row' if packed > 1 else ''}; "
            f"{self.padding:.1%} of an epoch's tokens are padding; "
            f"{self.too_long} pairs {'cut' if self._cut else 'left out'}, too long"
        )

    def _batch(self, step: Any) -> dict[str, np.ndarray]:
        epoch, place = divmod(int(step), self.steps_per_epoch)
        return self._layout.batch(self._plan(epoch)[place], self._source, self._target)

    def _make_plan(self, epoch: int) -> Sequence[Any]:
        return self._layout.plan(np.random.default_rng((self._seed, epoch)))


def translation_eval_stream(
    source: Tokens,
    target: Tokens,
    *,
    batch_size: int,
    buckets: int,
    num_workers: int,
    prefetch: int = 4,
) -> EvalStream:
    """Describes a pass over all pairs in batches of a few shapes, each with its `mask`.

    Args:
        source: Tokens of each sentence [S], its end included.
        target: Tokens of its translation [T], its end included.
        batch_size: B.
        buckets: Shapes, at most; each is a program to compile.
        num_workers: Threads; 0 makes the batches in the calling thread.
        prefetch: Batches held ready or in the making.

    Raises:
        DataError: If there is no pair.
    """
    if not len(source):
        raise DataError("the evaluation split has no sentences; expected at least one pair")
    lengths = token_lengths(source, target)
    shapes = choose_shapes(lengths, buckets)
    assigned = assign(lengths, shapes)

    def sample(index: int) -> dict[str, np.ndarray]:
        shape = shapes[assigned[index]]
        return {
            "source": pad([source[index]], (1, shape.source))[0],
            "target": pad([target[index]], (1, shape.target))[0],
            "index": np.asarray(index, np.int32),
        }

    return EvalStream(
        sample,
        len(source),
        batch_size=batch_size,
        num_workers=num_workers,
        prefetch=prefetch,
        groups=[np.flatnonzero(assigned == k) for k in range(len(shapes))],
    )
