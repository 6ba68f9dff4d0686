"""Samples kept in memory, for sets that fit there."""

import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.data.source import Source, View


class Cached(View):
    """A source that keeps samples in memory; those that no longer fit are read each time.

    Images are always of full size, kept or not: what is learned does not depend on the memory.
    """

    def __init__(self, source: Source, max_bytes: int) -> None:
        """Wraps a source; nothing is read yet, and decoded images take `max_bytes` at most."""
        super().__init__(source)
        self._room = max_bytes
        self._samples: list[Sample | None] = [None] * len(source)

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample, read if it is not kept."""
        self.check_index(index)
        kept = self._samples[index]
        if kept is not None:
            return kept
        sample = self.source[index]
        if self._room > 0:
            arrays = [sample.image, sample.mask, sample.target]
            if sample.objects is not None:
                arrays.append(sample.objects.masks)
            # Two threads that read the same image both subtract it: less is kept, never more.
            self._room -= sum(array.nbytes for array in arrays if array is not None)
            if self._room >= 0:
                for array in arrays:
                    if array is not None:
                        array.flags.writeable = False
                self._samples[index] = sample
        return sample

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Returns an image at full size."""
        del max_reduction
        return self[index].image, 1


def cached(source: Source, max_bytes: int) -> Source:
    """Keeps up to `max_bytes` of decoded images in memory; 0 leaves the source as it is.

    Raises:
        ValueError: If `max_bytes` is negative.
    """
    if max_bytes < 0:
        raise ValueError(f"cache_bytes must be at least 0, got {max_bytes}")
    return Cached(source, max_bytes) if max_bytes else source
