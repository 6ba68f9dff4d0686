"""Images with a label map each, both of them files."""

from collections.abc import Sequence

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.label_map import as_classes, decode_label_map
from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation
from jaxvision.data.sources.encoded import Encoded


class LabelMapFiles(Encoded):
    """A segmentation dataset whose images and label maps are files."""

    dense = True

    def __init__(
        self,
        name: str,
        images: Sequence[str],
        masks: Sequence[str],
        classes: tuple[str, ...],
        table: np.ndarray,
    ) -> None:
        """Takes the files; none is read.

        Args:
            name: Of the split, for messages.
            images: Their paths.
            masks: Paths of their label maps, in the same order.
            classes: Class names.
            table: Class of each number in the files, as `as_classes` takes it.

        Raises:
            DataError: If there is no image.
        """
        if not images:
            raise DataError(f"{name}: the split has no images; expected at least one")
        self.classes = classes
        self._split, self._images, self._masks, self._table = name, images, masks, table
        super().__init__(
            np.zeros((len(images), 2), np.int32),
            lambda index: read_bytes(images[index]),
            images.__getitem__,
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with its label map."""
        self.check_index(index)
        image, _ = self.image(index)
        label_map = self.label_map(index)
        if label_map.shape != image.shape[:2]:
            height, width = image.shape[:2]
            raise DataError(
                f"{self._masks[index]}: the label map is {label_map.shape[1]} x "
                f"{label_map.shape[0]} pixels (width x height), its image {self.name(index)} has "
                f"{width} x {height}. Export it in the image's size.",
                code="wrong-size",
            )
        return Sample(image, index, mask=label_map)

    def label_map(self, index: int) -> np.ndarray:
        """Reads a label map alone [H, W] uint8, `VOID` where a pixel has no class."""
        path = self._masks[index]
        numbers = decode_label_map(read_bytes(path, "label map", "missing-mask"), path)
        return as_classes(numbers, self._table, path)

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of an image, read from its header once."""
        return Annotation(*self.size(index))

    def describe(self, max_objects: int | None = None) -> str:
        """Reports the number of images and the classes."""
        del max_objects
        names = ", ".join(self.classes)
        return f"{self._split}: {len(self):,} images; {len(self.classes)} classes: {names}"
