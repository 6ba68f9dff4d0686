"""Streams of batches: the same for every task, and a function of (seed, step) alone.

Workers are threads: OpenCV and numpy let go of the interpreter lock, and threads share the
annotations and the caches. A worker makes whole batches, so it is never the order of finishing that
orders them.
"""

import bisect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import grain
import numpy as np

from jaxvision.data.allocator import keep_freed_memory
from jaxvision.data.errors import DataError

Sample = dict[str, np.ndarray]
Batch = dict[str, np.ndarray]
TrainSampler = Callable[[int, np.random.Generator], Sample]


def _stack(samples: Sequence[Sample]) -> Batch:
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def _read(batches: grain.MapDataset, num_workers: int, prefetch: int) -> Iterator[Batch]:
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
        phases: Mapping[int, TrainSampler] | None = None,
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
            phases: What takes the place of `sample` from a step on, by that step. The order of the
                examples does not change with it.

        Raises:
            DataError: If the dataset does not fill one batch.
            ValueError: If a number is out of its range.
        """
        _check(batch_size, num_workers, prefetch)
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed must be in [0, 2**32), got {seed}")
        if length < batch_size:
            raise DataError(
                f"the training split has {length} images, fewer than one batch of {batch_size}; "
                f"set batch_size to at most {length} or add images"
            )
        self.steps_per_epoch = length // batch_size
        self._num_workers = num_workers
        self._prefetch = prefetch
        phases = {0: sample, **(phases or {})}
        if min(phases) < 0:
            raise ValueError(f"the steps of phases must be at least 0, got {min(phases)}")
        self._starts = sorted(phases)
        self._phases = [
            grain.MapDataset.range(length)
            .seed(seed)
            .shuffle()
            .random_map(lambda index, rng, draw=phases[start]: draw(int(index), rng))
            # Before `repeat`, or a batch would mix two epochs and the steps would shift.
            .batch(batch_size, drop_remainder=True, batch_fn=_stack)
            .repeat()
            for start in self._starts
        ]

    def batches(self, start_step: int = 0) -> Iterator[Batch]:
        """Yields the batches from a step on, without end.

        Args:
            start_step: Steps already done.

        Yields:
            Dicts of arrays [B, ...]. `close()` on the iterator stops the workers.

        Raises:
            DataError: As it arose in a sample, at the batch that holds it.
        """
        if start_step < 0:
            raise ValueError(f"start_step must be at least 0, got {start_step}")
        steps = grain.MapDataset.range(start_step, sys.maxsize).map(self._batch)
        return _read(steps, self._num_workers, self._prefetch)

    def _batch(self, step: Any) -> Batch:
        phase = bisect.bisect_right(self._starts, int(step)) - 1
        return self._phases[phase][int(step)]  # pyright: ignore[reportReturnType]


class EvalStream:
    """One pass over a dataset in order, in batches of one shape."""

    def __init__(
        self,
        sample: Callable[[int], Sample],
        length: int,
        *,
        batch_size: int,
        num_workers: int,
        prefetch: int = 4,
    ) -> None:
        """Describes a pass; nothing is read yet.

        Args:
            sample: Maps an index in [0, length) to arrays of fixed shapes. Called from several
                threads.
            length: Examples in the dataset.
            batch_size: Examples a batch, B.
            num_workers: Threads; 0 reads in the calling thread.
            prefetch: Batches held ready or in the making, at least one for every worker.

        Raises:
            DataError: If the dataset is empty.
            ValueError: If a number is out of its range.
        """
        _check(batch_size, num_workers, prefetch)
        if length < 1:
            raise DataError("the evaluation split has no images; expected at least one")
        self._sample = sample
        self._length = length
        self._batch_size = batch_size
        self._num_workers = num_workers
        self._prefetch = prefetch

    def __len__(self) -> int:
        """Returns the number of batches."""
        return -(-self._length // self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yields dicts of arrays [B, ...] with `mask` [B], False where zeros fill up the last."""
        batches = grain.MapDataset.range(len(self)).map(self._batch)
        return _read(batches, self._num_workers, self._prefetch)

    def _batch(self, number: Any) -> Batch:
        start = int(number) * self._batch_size
        samples = [
            self._sample(index)
            for index in range(start, min(start + self._batch_size, self._length))
        ]
        missing = self._batch_size - len(samples)
        nothing = {name: np.zeros_like(array) for name, array in samples[0].items()}
        mask = np.arange(self._batch_size) < len(samples)
        return {**_stack(samples + [nothing] * missing), "mask": mask}
