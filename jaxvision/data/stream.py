"""Streams of batches: the same class for every task, and a function of (seed, step) alone.

Workers are threads: OpenCV and numpy release the interpreter lock, and threads share annotations
and caches. A worker makes whole batches, so the order in which workers finish changes nothing.
"""

import copy
import functools
import hashlib
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

import cv2
import grain
import numpy as np

from jaxvision.data.allocator import keep_freed_memory
from jaxvision.data.errors import DataError, FaultLog, OnFault, stop
from jaxvision.data.guarded_example import GuardedExample
from jaxvision.data.plans.plan import NOTHING, Plan, Planned, Rows
from jaxvision.ops import ranges

# So many unreadable examples in a row are a broken dataset, not a few broken files.
_ATTEMPTS = 20
# The key whose values are a list of Python objects, one per row, not an array.
TRUTH = "truth"

Batch = dict[str, Any]
Example = Callable[[int, np.random.Generator], Any]
Collate = Callable[[Sequence[Any], Rows], Batch]


def stack(examples: Sequence[Mapping[str, Any]], rows: Rows) -> Batch:
    """Stacks the arrays of B examples by name to [B, ...]; `truth` becomes a list of B objects."""
    batch = {}
    for name in examples[0]:
        values = [example[name] for example in examples]
        batch[name] = values if name == TRUTH else np.stack(values)
    return batch


class Stream:
    """Batches of a dataset: endless for training, one pass for evaluation.

    Batch number `step` depends on the seed and on `step` alone: not on the number of workers, and
    not on the step that a run was resumed from.

    Attributes:
        plan: Decides which examples are in which batch.
        steps_per_epoch: Batches in an epoch.
    """

    def __init__(
        self,
        plan: Plan,
        example: Example | None,
        collate: Collate = stack,
        *,
        seed: int = 0,
        num_workers: int = 0,
        prefetch: int = 4,
        schedule: Callable[[int], Example] | None = None,
        on_fault: OnFault = stop,
        timeout: float = 0.0,
        name: Callable[[int], str] = str,
        axes: Mapping[str, int | None] | None = None,
        digest: Callable[[], str] | None = None,
    ) -> None:
        """Describes a stream; nothing is read yet.

        Args:
            plan: Decides which examples are in which batch.
            example: Maps an example's number and a random generator to one row of a batch: a dict
                of arrays of fixed shapes, and perhaps `truth`, any Python object. Called from
                several threads. None where `collate` looks the examples up by their numbers.
            collate: Maps the B examples of a batch, and the `Rows` of the plan, to the batch.
                Where P examples share a row, it gets B lists of at most P examples. In a plan
                without mask, rows of no example are None.
            seed: Orders the epochs and seeds the generators of the examples; in [0, 2^32).
            num_workers: Threads; 0 reads in the calling thread.
            prefetch: Batches that are ready or being made, at least one for every worker.
            schedule: Maps a step to the function that replaces `example` there, for example with
                other augmentation or another image size. The order of the examples does not change.
            on_fault: Called with each `DataError` of an example; raises it by default. If it
                returns, another example of the epoch, drawn at random, takes the place of the
                faulty one, or, in a plan with mask, zeros whose mask is False.
            timeout: Seconds after which reading an example is a fault, too; 0 for never.
            name: Names an example by its number, for messages.
            axes: By key of the batch, the axis that devices cut; None for an array of which every
                device needs a copy, as a graph. Axis 0 for keys that are not named.
            digest: Sums up the dataset, so that two hosts can see whether theirs is the same.

        Raises:
            ValueError: If a number is out of its range.
        """
        numbers = dict(num_workers=num_workers, prefetch=prefetch, seed=seed, timeout=timeout)
        ranges.check(numbers, "[0, 1024]", "num_workers")
        ranges.check(numbers, "[1, 1024]", "prefetch")
        ranges.check(numbers, f"[0, {2**32 - 1}]", "seed")
        ranges.check(numbers, "[0, inf)", "timeout")
        if example is None and schedule is not None:
            raise ValueError("schedule replaces example, so it needs one, got example=None")
        if not len(plan):
            raise ValueError("a plan must have at least one batch in an epoch, got none")
        self.steps_per_epoch = len(plan)
        self.plan = plan
        self._example_at = schedule or (lambda step: example)
        self._collate = collate
        self._seed = seed
        self._num_workers = num_workers
        self._prefetch = prefetch
        self._on_fault = on_fault
        self._skipped = FaultLog()
        self._name = name
        self._timeout = timeout
        self._axes = dict(axes or {})
        self._digest = digest
        self._process, self._processes = 0, 1
        self._lock = threading.Lock()
        self._template: Mapping[str, Any] | None = None
        # A batch needs the plan of one epoch, prefetched ones perhaps that of the next one, too.
        self._planned = functools.lru_cache(maxsize=2)(self._plan_epoch)

    def __len__(self) -> int:
        return self.steps_per_epoch

    def __iter__(self) -> Generator[Batch, None, None]:
        """Yields the batches of epoch 0, as `batches` does."""
        return self._read(0, len(self))

    def batches(self, start_step: int = 0) -> Generator[Batch, None, None]:
        """Yields the batches from a step on, without end.

        Args:
            start_step: Steps already done.

        Yields:
            What `collate` makes, with `mask` [B] bool if the plan is masked, False for rows of no
            example. `close()` on the iterator stops the workers.

        Raises:
            DataError: If an example has a fault and `on_fault` raises it, or if no example can be
                read.
        """
        if start_step < 0:
            raise ValueError(f"start_step must be at least 0, got {start_step}")
        return self._read(start_step, sys.maxsize)

    def rows(self, batch: Mapping[str, Any]) -> int:
        """Counts the examples of a batch, rows that only fill it up included.

        Where examples share rows, rows are counted; a batch that devices do not cut has one. With
        several processes those of all of them count.
        """
        for key, value in batch.items():
            axis = self.axis(key)
            if axis is not None:
                return np.shape(value)[axis] * self._processes
        return 1

    def share(self, process: int, processes: int) -> "Stream":
        """Returns the stream of one of several processes: its rows of the same batches.

        Batches of which an array is not cut are made whole by each process, and then cut.

        Args:
            process: Its number, from 0.
            processes: Their number. It must divide every batch, which is seen when one is made.
        """
        own = copy.copy(self)
        own._process, own._processes = process, processes
        return own

    def digest(self) -> str:
        """Sums up the dataset and the batches of the first epoch, not the files of images."""
        hashed = hashlib.sha256((self._digest() if self._digest else "").encode())
        for batch in self._planned(0):
            rows = batch if isinstance(batch, Rows) else Rows(np.asarray(batch))
            hashed.update(np.ascontiguousarray(rows.index, np.int64).tobytes())
            hashed.update(str(rows.shape).encode())
        return hashed.hexdigest()

    def axis(self, key: str) -> int | None:
        """Returns the axis of an array of the batch that devices cut, None for no axis."""
        return None if key == TRUTH else self._axes.get(key, 0)

    def name(self, index: int) -> str:
        """Names an example by its number, for messages."""
        return self._name(index)

    def example(self, index: int) -> Any:
        """Reads one example again, by its number, as the first batch of a stream would hold it."""
        example = self._example_at(0)
        if example is None:
            raise ValueError("this stream makes whole batches, it has no single examples")
        return self._read_example(example, index, 0, 0)

    def faults(self) -> str:
        """Lists the examples that were skipped since the last call; empty if there were none."""
        return self._skipped.report()

    def _read(self, start: int, stop: int) -> Generator[Batch, None, None]:
        """Yields batches in order, read by the workers or, with none, in the calling thread."""
        # OpenCV would spread each call over all cores, where workers would wait for each other. The
        # setting is the process's, hence here and not at import.
        cv2.setNumThreads(0)
        keep_freed_memory()
        workers = self._num_workers
        options = grain.ReadOptions(
            num_threads=workers,
            prefetch_buffer_size=max(self._prefetch, workers) if workers else 0,
        )
        steps = grain.MapDataset.range(start, stop).map(self._batch)
        iterator = iter(steps.to_iter_dataset(options))
        try:
            yield from iterator
        finally:
            # Drops what is queued, so that no thread goes on reading after the last batch is taken.
            iterator.close()

    def _batch(self, step: Any) -> Batch:
        step = int(step)
        example = self._example_at(step)
        rows = self._rows(step)
        whole = self._processes > 1 and None in self._axes.values()
        first = 0
        if not whole:
            own = self._own(len(rows.index))
            rows = rows._replace(index=rows.index[own])
            first = own.start * (rows.index.size // len(rows.index))
        if example is None:
            examples = rows.index.tolist()
            present = rows.index != NOTHING
        else:
            examples = [
                None if index == NOTHING else self._read_example(example, index, step, i)
                for i, index in enumerate(rows.index.ravel().tolist(), first)
            ]
            present = np.array([each is not None for each in examples]).reshape(rows.index.shape)
            if self.plan.masked and not present.all():
                blank = self._zeros(example, examples, step)
                examples = [blank if each is None else each for each in examples]
            if rows.index.ndim == 2:
                flat, width = examples, rows.index.shape[1]
                examples = [
                    [each for each in flat[start : start + width] if each is not None]
                    for start in range(0, len(flat), width)
                ]
        batch = self._collate(examples, rows)
        if self.plan.masked:
            batch["mask"] = present.reshape(len(present), -1).any(axis=1)
        return self._cut(batch) if whole else batch

    def _own(self, count: int) -> slice:
        """Returns which of the rows of a batch are this process's."""
        if count % self._processes:
            raise ValueError(
                "batch_size must be a multiple of the number of processes, "
                f"{self._processes}, got {count}"
            )
        size = count // self._processes
        return slice(self._process * size, (self._process + 1) * size)

    def _cut(self, batch: Batch) -> Batch:
        """Takes the own rows out of a whole batch; of `truth` where those of an array are."""
        axes = {name: self.axis(name) for name in batch}
        found = {}
        for name, x in batch.items():
            axis = axes[name]
            if name == TRUTH and any(each is not None for each in axes.values()):
                found[name] = x[self._own(len(x))]
            elif axis is None:
                found[name] = x
            else:
                found[name] = x[(slice(None),) * axis + (self._own(x.shape[axis]),)]
        return found

    def _rows(self, step: int) -> Rows:
        epoch, place = divmod(step, self.steps_per_epoch)
        planned = self._planned(epoch)[place]
        return planned if isinstance(planned, Rows) else Rows(np.asarray(planned))

    def _plan_epoch(self, epoch: int) -> Planned:
        planned = self.plan(epoch, self._generator(0, epoch))
        if len(planned) != self.steps_per_epoch:
            raise ValueError(
                f"a plan must give as many batches in every epoch, {self.steps_per_epoch}, got "
                f"{len(planned)} in epoch {epoch}"
            )
        return planned

    def _generator(self, *key: int) -> np.random.Generator:
        """Returns a generator of its own for each key, whatever was drawn before."""
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))

    def _read_example(self, example: Example, index: int, step: int, place: int) -> Any:
        """Reads an example or one in its place; None if it is to be masked."""
        read = GuardedExample(example, self._name, self._timeout)
        for attempt in range(_ATTEMPTS):
            rng = self._generator(1, step, place, attempt)
            if attempt:
                index = self._another(step, rng)
            try:
                return read(index, rng)
            except DataError as fault:
                self._on_fault(fault)
                self._skipped(fault)
                if self.plan.masked:
                    return None
                last = fault
        raise DataError(f"{_ATTEMPTS} examples in a row cannot be read. The last: {last}")

    def _another(self, step: int, rng: np.random.Generator) -> int:
        """Draws an example of the same epoch, and of the same batch if it has a shape."""
        rows = self._rows(step)
        if rows.shape is None:
            first = step - step % self.steps_per_epoch
            rows = self._rows(first + int(rng.integers(self.steps_per_epoch)))
        known = rows.index[rows.index != NOTHING]
        return int(known[rng.integers(len(known))])

    def _zeros(self, example: Example, examples: Sequence[Any], step: int) -> dict[str, Any]:
        """Returns what fills a row: zeros in the shapes of an example, if possible of the batch.

        A batch of which nothing can be read gets the shapes of the first readable example of the
        plan: perhaps not that batch's own, but all of it is masked.
        """
        like = next((each for each in examples if each is not None), None)
        if like is None and self._processes > 1:
            # The rows of other processes may have examples, and all rows must have one shape.
            like, _ = self._first_readable(example, [step])
        if like is None:
            with self._lock:
                if self._template is None:
                    like, last = self._first_readable(example, range(self.steps_per_epoch))
                    if like is None:
                        raise DataError(f"not one example can be read. The last: {last}")
                    self._template = like
                like = self._template
        return {
            name: None if name == TRUTH else np.zeros_like(value) for name, value in like.items()
        }

    def _first_readable(
        self, example: Example, steps: Iterable[int]
    ) -> tuple[Mapping[str, Any] | None, DataError | None]:
        """Returns the first example of some batches that can be read, or why the last cannot."""
        last = None
        for step in steps:
            for place, index in enumerate(self._rows(step).index.ravel().tolist()):
                if index == NOTHING:
                    continue
                try:
                    return example(index, self._generator(1, step, place, 0)), None
                except DataError as fault:
                    # Reported with its own batch.
                    last = fault
        return None, last
