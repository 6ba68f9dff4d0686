"""Images with the regions that selective search finds in them."""

import functools
from typing import Any

import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.data.selective_search import selective_search
from jaxvision.data.source import Annotation, Source, View


class Proposed(View):
    """A source whose samples have proposals; each image is searched once, when it is first read."""

    def __init__(self, source: Source, **options: Any) -> None:
        """Wraps a source; nothing is read yet.

        Args:
            source: Of the images.
            **options: Of `selective_search`.
        """
        super().__init__(source)
        self._search = functools.partial(selective_search, **options)
        self._found: list[np.ndarray | None] = [None] * len(source)

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample with its proposals."""
        self.check_index(index)
        sample = self.source[index]
        return sample.replace(proposals=self._proposals(index, sample.image))

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image, which is read for its proposals."""
        found = self.source.annotation(index)
        return found._replace(proposals=self._proposals(index, None))

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Returns an image at full size: proposals are in its pixels."""
        del max_reduction
        return self.source.image(index)

    def _proposals(self, index: int, image: np.ndarray | None) -> np.ndarray:
        found = self._found[index]
        if found is None:
            found = self._search(self.source[index].image if image is None else image)
            self._found[index] = found
        return found
