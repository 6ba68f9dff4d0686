"""Streams of batches: the same for every task, and a function of (seed, step) alone.

Workers are threads: OpenCV and numpy let go of the interpreter lock, and threads share the
annotations and the caches. A worker makes whole batches, so it is never the order of finishing that
orders them.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import grain
import numpy as np

from jaxvision.data.allocator import keep_freed_memory
from jaxvision.data.errors import DataError, OnFault, stop

# So many examples without one that can be read are no accident.
_ATTEMPTS = 20

Sample = dict[str, np.ndarray]
Batch = dict[str, np.ndarray]
TrainSampler = Callable[[int, np.random.Generator], Sample]


def _stack(samples: Sequence[Sample]) -> Batch:
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def read_batches(batches: grain.MapDataset, num_workers: int, prefetch: int) -> Iterator[Batch]:
    """Reads in order, by `num_workers` threads or, with none, in the calling thread."""
    # OpenCV has a pool of its own in which every call would spread over all cores; with one call in
    # each worker they would only wait for each other. The setting is the process's, hence here and
    # not at import.
    cv2.setNumThreads(0)
    keep_freed_memory()
    options = grain.ReadOptions(
        num_threads=num_workers,
        prefetch_buffer_size=max(prefetch, num_workers) if num_workers else 0,
    )
    iterator = iter(batches.to_iter_dataset(options))
    try:
        yield from iterator
    finally:
        # Drops what is queued, so that no thread goes on reading after the last batch was taken.
        iterator.close()


def _check(batch_size: int, num_workers: int, prefetch: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if num_workers < 0:
        raise ValueError(f"num_workers must be at least 0, got {num_workers}")
    if prefetch < 1:
        raise ValueError(f"prefetch must be at least 1, got {prefetch}")


class TrainStream:
    """Endless training batches; batch number `step` depends on the seed and on nothing else.

    Every epoch is a new permutation of the dataset; its last images that fill no batch are left
    out.

    Attributes:
        steps_per_epoch: Batches an epoch.
    """

    def __init__(
        self,
        sample: TrainSampler,
        length: int,
        *,
        batch_size: int,
        seed: int,
        num_workers: int,
        prefetch: int = 4,
        schedule: Callable[[int], TrainSampler] | None = None,
        weights: np.ndarray | None = None,
        repeats: int = 1,
        on_fault: OnFault = stop,
    ) -> None:
        """Describes a stream; nothing is read yet.

        Args:
            sample: Maps an index in [0, length) and a random generator to arrays of fixed shapes.
                Called from several threads.
            length: Examples in the dataset.
            batch_size: Examples a batch, B.
            seed: Orders the epochs and seeds the samples' generators; in [0, 2^32).
            num_workers: Threads; 0 reads in the calling thread.
            prefetch: Batches held ready or in the making, at least one for every worker.
            schedule: Maps a step to what takes the place of `sample` there: other augmentation,
                another image size. The order of the examples does not change with it.
            weights: How often each example is drawn, in proportion [length]; all are equally often
                by default. An epoch is as long as without, the heavy ones are in it more than once.
            repeats: How often a batch shows each of its examples, every time augmented anew (Hoffer
                et al. 2019, https://arxiv.org/abs/1901.09335). An epoch has as many batches as with
                1, and one in `repeats` of the examples.
            on_fault: Is told of every `DataError` that arises in a sample. If it returns, another
                example, drawn at random, takes the place of the faulty one.

        Raises:
            DataError: If the dataset does not fill one batch.
            ValueError: If a number is out of its range.
        """
        _check(batch_size, num_workers, prefetch)
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats}")
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed must be in [0, 2**32), got {seed}")
        if length < batch_size:
            raise DataError(
                f"the training split has {length} images, fewer than one batch of {batch_size}; "
                f"set batch_size to at most {length} or add images"
            )
        self.steps_per_epoch = length // batch_size
        self._length = length
        self._batch_size = batch_size
        self._seed = seed
        self._num_workers = num_workers
        self._prefetch = prefetch
        self._schedule = schedule or (lambda step: sample)
        self._repeats = repeats
        self._shares = None if weights is None else _shares(weights, length)
        self._on_fault = on_fault
        # A batch needs one epoch's order, prefetched ones perhaps the next one's too.
        self._order = functools.lru_cache(maxsize=2)(self._permutation)

    def batches(self, start_step: int = 0) -> Iterator[Batch]:
        """Yields the batches from a step on, without end.

        Args:
            start_step: Steps already done.

        Yields:
            Dicts of arrays [B, ...]. `close()` on the iterator stops the workers.

        Raises:
            DataError: As it arose in a sample, at the batch that holds it, if `on_fault` raises.
        """
        if start_step < 0:
            raise ValueError(f"start_step must be at least 0, got {start_step}")
        steps = grain.MapDataset.range(start_step, sys.maxsize).map(self._batch)
        return read_batches(steps, self._num_workers, self._prefetch)

    def _batch(self, step: Any) -> Batch:
        sample = self._schedule(int(step))
        epoch, place = divmod(int(step), self.steps_per_epoch)
        first = place * self._batch_size
        distinct = -(-self._batch_size // self._repeats)
        order = self._order(epoch)[place * distinct : (place + 1) * distinct]
        # Far from each other: neighbours are what mixup mixes.
        order = np.tile(order, self._repeats)[: self._batch_size].tolist()
        return _stack(
            [
                self._example(sample, index, epoch * self._length + first + i)
                for i, index in enumerate(order)
            ]
        )

    def _permutation(self, epoch: int) -> np.ndarray:
        """Returns the order of an epoch [length]."""
        return np.random.default_rng((self._seed, epoch, 0)).permutation(self._length)

    def _example(self, sample: TrainSampler, index: int, number: int) -> Sample:
        """Makes example `number` of the stream, of image `index`."""
        # Seeded by its number, whoever makes it and whatever was made before.
        rng = np.random.default_rng((self._seed, number))
        if self._shares is not None:
            # The permutation deals out equal parts of [0, 1), so that an epoch holds each example
            # as often as its share says, but for less than one.
            place = (index + rng.random()) / self._length
            index = int(np.searchsorted(self._shares, place, side="right"))
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return sample(index, rng)
            except DataError as fault:
                self._on_fault(fault)
                last = fault
            rng = np.random.default_rng((self._seed, number, attempt))
            index = int(rng.integers(self._length))
        raise DataError(f"{_ATTEMPTS} examples in a row cannot be read. The last: {last}")


def _shares(weights: np.ndarray, length: int) -> np.ndarray:
    """Returns where each example's part of [0, 1) ends [length]."""
    weights = np.asarray(weights, np.float64)
    if weights.shape != (length,):
        raise ValueError(f"weights must be [{length}], one an example, got {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("weights must be finite, not negative and not all zero")
    ends = np.cumsum(weights) / weights.sum()
    # Rounding must not leave a gap below 1 that would belong to nobody, nor give it to an example
    # of weight 0 at the end.
    ends[np.flatnonzero(weights)[-1] :] = 1.0
    return ends


class EvalStream:
    """One pass over a dataset, in batches of one shape or of a few."""

    def __init__(
        self,
        sample: Callable[[int], Sample],
        length: int,
        *,
        batch_size: int,
        num_workers: int,
        prefetch: int = 4,
        groups: Sequence[Sequence[int] | np.ndarray] | None = None,
        on_fault: OnFault = stop,
    ) -> None:
        """Describes a pass; nothing is read yet.

        Args:
            sample: Maps an index in [0, length) to arrays of fixed shapes. Called from several
                threads.
            length: Examples in the dataset.
            batch_size: Examples a batch, B.
            num_workers: Threads; 0 reads in the calling thread.
            prefetch: Batches held ready or in the making, at least one for every worker.
            groups: Indices of examples of one shape each, together all of them; a batch never mixes
                two groups. One group in order by default.
            on_fault: Is told of every `DataError` that arises in a sample. If it returns, zeros
                take the place of the faulty example and its `mask` is False.

        Raises:
            DataError: If the dataset is empty.
            ValueError: If a number is out of its range, or `groups` does not hold each index once.
        """
        _check(batch_size, num_workers, prefetch)
        if length < 1:
            raise DataError("the evaluation split has no images; expected at least one")
        groups = [np.arange(length)] if groups is None else [np.asarray(g, int) for g in groups]
        if not np.array_equal(np.sort(np.concatenate(groups)), np.arange(length)):
            raise ValueError(f"groups must hold each of the {length} indices once")
        self._sample = sample
        self._batch_size = batch_size
        self._num_workers = num_workers
        self._prefetch = prefetch
        self._on_fault = on_fault
        self._members = [
            group[start : start + batch_size]
            for group in groups
            for start in range(0, len(group), batch_size)
        ]

    def __len__(self) -> int:
        """Returns the number of batches."""
        return len(self._members)

    def __iter__(self) -> Iterator[Batch]:
        """Yields dicts of arrays [B, ...] with `mask` [B], False where zeros fill up a batch.

        A batch of which nothing can be read is left out.
        """
        batches = grain.MapDataset.range(len(self)).map(self._batch)
        return filter(None, read_batches(batches, self._num_workers, self._prefetch))

    def _batch(self, number: Any) -> Batch:
        samples = []
        for index in self._members[int(number)].tolist():
            try:
                samples.append(self._sample(index))
            except DataError as fault:
                self._on_fault(fault)
        if not samples:
            return {}
        missing = self._batch_size - len(samples)
        nothing = {name: np.zeros_like(array) for name, array in samples[0].items()}
        mask = np.arange(self._batch_size) < len(samples)
        return {**_stack(samples + [nothing] * missing), "mask": mask}
