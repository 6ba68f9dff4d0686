"""Some images of a dataset."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.annotations import Repaired, Report
from jaxvision.data.sample import Sample
from jaxvision.data.source import Source, View
from jaxvision.data.sources.labelled import describe_labels


class Subset(View):
    """Some images of a dataset, in the order given; it reads no more than its source would.

    Its `max_objects` is the source's where that does not know them without reading the images.
    """

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray) -> None:
        """Raises ValueError if there is no index, or one that the source does not have."""
        super().__init__(source)
        self._indices = np.asarray(indices, np.int64)
        if self._indices.ndim != 1 or not len(self._indices):
            raise ValueError(f"expected a list of at least one index, got {indices}")
        if self._indices.min() < 0 or self._indices.max() >= len(source):
            raise ValueError(
                f"indices must be in [0, {len(source)}), got {self._indices.min()} to "
                f"{self._indices.max()}"
            )
        self.labels = None if source.labels is None else source.labels[self._indices]
        self._report: Report | None = None
        known = source.all_known_objects(self._indices.tolist())
        if known is not None:
            self.max_objects = max(len(classes) for classes, _ in known)
            trained = [classes[~crowd] for classes, crowd in known]
            self._report = Report(
                counts=np.array([len(classes) for classes in trained]),
                classes=source.classes,
                per_class=np.bincount(np.concatenate(trained), minlength=len(source.classes)),
                crowds=sum(int(crowd.sum()) for _, crowd in known),
                outside=Repaired(0, ()),
                degenerate=Repaired(0, ()),
            )

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with what belongs to it."""
        return self.source[self.at(index)].replace(index=index)

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what these images hold, a few lines."""
        part = f"{len(self):,} of {len(self.source):,} images"
        if self.labels is not None:
            whole = self.source.describe().partition(":")[0]
            return describe_labels(f"{part} of {whole}", self.labels, self.classes)
        if self._report is None:
            return f"{part} of: {self.source.describe()}"
        repaired = [f"in all {len(self.source):,}: {line}" for line in self.repaired()]
        return "\n".join([f"{part}:", self._report.text(max_objects), *repaired])

    def at(self, index: int) -> int:
        """Returns which image of the source an index stands for."""
        self.check_index(index)
        return int(self._indices[index])
