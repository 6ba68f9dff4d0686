"""Batches of sentence pairs, each of one of a few shapes."""

import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import grain
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.pipeline import EvalStream, read_batches
from jaxvision.data.text.buckets import Shape, assign, choose_shapes
from jaxvision.data.text.tokenizer import PAD

Tokens = Sequence[np.ndarray]


class TranslationTrainStream:
    """Endless training batches; batch number `step` depends on the seed and on nothing else.

    Each epoch shows every pair once. Pairs that fill no batch of their own shape go into batches of
    a larger one; what is left at the end fills one batch in part, the rest of which is padding.

    Attributes:
        steps_per_epoch: Batches an epoch.
        left_out: Pairs longer than `max_length`.
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
        max_length: int = 256,
        multiple: int = 8,
        prefetch: int = 4,
    ) -> None:
        """Describes a stream.

        Args:
            source: Tokens of each sentence [S], its end included.
            target: Tokens of its translation [T], its end included.
            batch_tokens: B times the longer of S and T of a batch, at most.
            buckets: Shapes, at most; each is a program to compile.
            seed: Orders the epochs; in [0, 2^32).
            num_workers: Threads; 0 makes the batches in the calling thread.
            max_length: Pairs with more tokens in either language are left out.
            multiple: B is a multiple of it; that of the number of devices.
            prefetch: Batches held ready or in the making.

        Raises:
            DataError: If there is no pair, or one fits into no batch.
            ValueError: If a number is out of its range.
        """
        for name, value, least in (
            ("batch_tokens", batch_tokens, 1),
            ("multiple", multiple, 1),
            ("num_workers", num_workers, 0),
            ("prefetch", prefetch, 1),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed must be in [0, 2**32), got {seed}")
        lengths = token_lengths(source, target)
        kept = np.flatnonzero((lengths <= max_length).all(axis=1))
        if not len(kept):
            raise DataError(
                "the training split must have sentences of at most max_length tokens, got none: "
                f"{len(lengths)} sentences, max_length {max_length}"
            )
        lengths = lengths[kept]
        longest = int(lengths.max())
        if longest * multiple > batch_tokens:
            raise DataError(
                f"batch_tokens must be at least {longest * multiple}, {multiple} sentences of "
                f"{longest} tokens, got {batch_tokens}; raise it or lower max_length"
            )
        self.left_out = len(source) - len(kept)
        self.shapes = choose_shapes(lengths, buckets)
        self.batch_sizes = [batch_tokens // max(s) // multiple * multiple for s in self.shapes]
        self._source, self._target = source, target
        self._seed = seed
        self._num_workers = num_workers
        self._prefetch = prefetch
        assigned = assign(lengths, self.shapes)
        self._members = [kept[assigned == k] for k in range(len(self.shapes))]
        self._plan = functools.lru_cache(maxsize=2)(self._make_plan)
        # The sizes of batches are the same in all epochs, their members are not.
        plan = self._plan(0)
        self.steps_per_epoch = len(plan)
        held = sum(self.batch_sizes[k] * sum(self.shapes[k]) for k, _ in plan)
        self.padding = 1.0 - float(lengths.sum()) / held

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
        return (
            f"batches of {shapes} tokens; {self.padding:.1%} of an epoch's tokens are padding; "
            f"{self.left_out} sentences left out, too long"
        )

    def _batch(self, step: Any) -> dict[str, np.ndarray]:
        epoch, place = divmod(int(step), self.steps_per_epoch)
        k, members = self._plan(epoch)[place]
        size = self.batch_sizes[k]
        index = np.full(size, -1, np.int32)
        index[: len(members)] = members
        source, target = (
            pad([sentences[i] for i in members], (size, length))
            for sentences, length in zip((self._source, self._target), self.shapes[k], strict=True)
        )
        return {"source": source, "target": target, "index": index}

    def _make_plan(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """Returns the shape and the members of each batch of an epoch."""
        rng = np.random.default_rng((self._seed, epoch))
        batches = []
        carried: list[list[np.ndarray]] = [[] for _ in self.shapes]
        for k, size in enumerate(self.batch_sizes):
            members = np.concatenate([*carried[k], rng.permutation(self._members[k])]).astype(int)
            full = len(members) // size * size
            batches += [(k, part) for part in members[:full].reshape(-1, size)]
            rest = members[full:]
            larger = (
                j for j in range(k + 1, len(self.shapes)) if _holds(self.shapes[j], self.shapes[k])
            )
            parent = next(larger, None)
            if parent is not None:
                carried[parent].append(rest)
            elif len(rest):
                batches.append((k, rest))
        return [batches[i] for i in rng.permutation(len(batches))]


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


def token_lengths(source: Tokens, target: Tokens) -> np.ndarray:
    """Counts the tokens of each pair [N, 2]."""
    lengths = [[len(s), len(t)] for s, t in zip(source, target, strict=True)]
    return np.array(lengths, int).reshape(-1, 2)


def pad(sentences: Tokens, shape: tuple[int, int]) -> np.ndarray:
    """Puts sentences into an array of a shape, with padding after and below them."""
    padded = np.full(shape, PAD, np.int32)
    for row, sentence in zip(padded, sentences, strict=False):
        row[: len(sentence)] = sentence
    return padded


def _holds(shape: Shape, other: Shape) -> bool:
    return shape.source >= other.source and shape.target >= other.target
