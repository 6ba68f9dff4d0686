"""A dataset whose images, turned by quarters, are further classes."""

import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.data.source import Source, View


class Turned(View):
    """Each class four times, turned by 0, 90, 180 and 270 degrees (Santoro et al. 2016)."""

    def __init__(self, source: Source) -> None:
        """Raises ValueError if images have no class each."""
        super().__init__(source)
        if source.labels is None or source.labels.ndim != 1:
            raise ValueError("images must have one class each to be turned")
        count = len(source.classes)
        self.classes = tuple(f"{name}@{90 * k}" for k in range(4) for name in source.classes)
        self.labels = np.concatenate([source.labels + k * count for k in range(4)])

    def __len__(self) -> int:
        return 4 * len(self.source)

    def at(self, index: int) -> int:
        """Returns which image of the source is turned."""
        self.check_index(index)
        return index % len(self.source)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image and turns it counter-clockwise."""
        return Sample(self.image(index)[0], index, label=self.label(index))

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """As the source does, turned."""
        image, reduction = super().image(index, max_reduction)
        return np.ascontiguousarray(np.rot90(image, index // len(self.source))), reduction

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the source and its turned classes."""
        return f"{super().describe(max_objects)}; turned, {len(self.classes):,} classes"
