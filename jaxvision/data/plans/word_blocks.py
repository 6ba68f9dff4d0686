"""The plan of word embeddings: blocks of a text that is thinned, or walked, anew in each epoch."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.text.vocabulary import BREAK
from jaxvision.ops import ranges

# Standard deviations of the number of kept words that an epoch has room for.
_SPARE = 4.0


class Tokens(NamedTuple):
    """A text, its sentences one after another.

    Attributes:
        words: Their numbers [n] int32, with `BREAK` behind each sentence.
        documents: Document of each [n] int32, or None.
    """

    words: np.ndarray
    documents: np.ndarray | None = None


class WordBlocks:
    """Batches of B blocks: L centres each, and what is in reach of them on both sides.

    The example numbers of this plan are the words themselves, and each row of a batch is a block:
    an array [B, S] with S = L + 2 * halo, or [B, 2, S] of words and their documents. Where nothing
    is, there is -1, which also ends sentences.

    Attributes:
        masked: False.
        block: L.
    """

    masked = False

    def __init__(
        self,
        text: Callable[[int, np.random.Generator], Tokens],
        *,
        block: int,
        halo: int,
        batch_size: int,
        keep: np.ndarray | None = None,
        ordered: bool = False,
    ) -> None:
        """Describes the plan.

        Args:
            text: Maps an epoch, and its randomness, to the text; its length must be the same in
                each epoch.
            block: L.
            halo: Words in reach of a centre on each side.
            batch_size: B.
            keep: How often an occurrence of each word is kept [V]; all by default.
            ordered: Whether blocks stay in the order of the text, as for an evaluation.

        Raises:
            DataError: If the text is empty.
            ValueError: If a number is out of its range.
        """
        numbers = dict(block=block, halo=halo, batch_size=batch_size)
        ranges.check(numbers, "[1, 100_000]", "block", "batch_size")
        ranges.check(numbers, "[0, 100_000]", "halo")
        self._text, self._keep, self._ordered = text, keep, ordered
        self.block, self._halo, self._batch_size = block, halo, batch_size
        words = text(0, np.random.default_rng(0)).words
        real = words[words != BREAK]
        if not len(real):
            raise DataError("the text must have at least one word of the vocabulary, got none")
        length = float(len(words))
        if keep is not None:
            chances = keep[real]
            spread = np.sqrt((chances * (1 - chances)).sum())
            kept = chances.sum() + _SPARE * spread
            length = min(length, kept + min(float((words == BREAK).sum()), kept))
        self._steps = max(1, int(np.ceil(length / (block * batch_size))))

    def __len__(self) -> int:
        return self._steps

    def __call__(self, epoch: int, rng: np.random.Generator) -> Sequence[Rows]:
        """Returns the blocks of an epoch, cut out when they are read."""
        words, documents = self._text(epoch, rng)
        real = words != BREAK
        kept = np.ones(len(words), bool)
        if self._keep is not None:
            kept = ~real | (rng.random(len(words)) < self._keep[np.where(real, words, 0)])
            # Sentences of which nothing is kept do not need an end.
            ends = np.flatnonzero(kept & ~real)
            inside = np.cumsum(kept & real)[ends]
            kept[ends[np.diff(inside, prepend=0) == 0]] = False
        total = self._steps * self._batch_size * self.block

        def laid(values: np.ndarray) -> np.ndarray:
            """Puts what is kept between two halos of nothing."""
            found = np.full(total + 2 * self._halo, NOTHING, np.int32)
            chosen = values[kept][:total]
            found[self._halo : self._halo + len(chosen)] = chosen
            return found

        order = np.arange(self._steps * self._batch_size)
        if not self._ordered:
            order = rng.permutation(len(order))
        parts = [laid(words)] + ([] if documents is None else [laid(documents)])
        starts = order.reshape(self._steps, self._batch_size) * self.block
        return _Blocks(parts, starts, self.block + 2 * self._halo)


class _Blocks(Sequence[Rows]):
    """The batches of an epoch."""

    def __init__(self, parts: list[np.ndarray], starts: np.ndarray, size: int) -> None:
        self._windows = [np.lib.stride_tricks.sliding_window_view(x, size) for x in parts]
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, step):  # pyright: ignore
        blocks = [each[self._starts[step]] for each in self._windows]
        return Rows(blocks[0] if len(blocks) == 1 else np.stack(blocks, axis=1))
