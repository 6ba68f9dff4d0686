"""Detection examples from image files and annotations held in memory."""

import numpy as np

from jaxvision.data.annotations import Annotations, clean
from jaxvision.data.errors import DataError
from jaxvision.data.example import DetectionExample
from jaxvision.data.image import decode_image, read_bytes


class DetectionFiles:
    """A detection dataset whose images are files.

    Attributes:
        classes: Class names, in the order of their indices.
        max_objects: The most objects that one image has, crowds included.
    """

    def __init__(
        self, annotations: Annotations, classes: tuple[str, ...], *, strict: bool = False
    ) -> None:
        """Checks the annotations; the images are read when they are asked for.

        Args:
            annotations: As the reader found them.
            classes: Class names.
            strict: Takes boxes outside their image and boxes without extent for errors.

        Raises:
            DataError: If there is no image, or, with `strict`, for the first faulty box.
        """
        if len(annotations) == 0:
            raise DataError(f"{annotations.root}: the split has no images; expected at least one")
        self.classes = classes
        self._annotations, self._report = clean(annotations, classes, strict=strict)
        self.max_objects = int(np.diff(self._annotations.offsets).max())

    def __len__(self) -> int:
        return len(self._annotations)

    def __getitem__(self, index: int) -> DetectionExample:
        """Reads an image with its objects.

        Raises:
            DataError: If the image is missing, damaged, or not of the size that its annotation
            states.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}), got {index}")
        found = self._annotations
        image = decode_image(self.encoded(index), self.name(index))
        height, width, _ = image.shape
        rows = found.rows(index)
        boxes, area = found.boxes[rows], found.area[rows]
        if found.sizes is None:
            boxes = boxes * np.array([width, height, width, height], np.float32)
            area = area * np.float32(width * height)
        elif (width, height) != (expected := tuple(found.sizes[index].tolist())):
            raise DataError(self._size_message(index, expected, (width, height)))
        return DetectionExample(image, boxes, found.classes[rows], found.crowd[rows], area)

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored."""
        return read_bytes(self.name(index))

    def name(self, index: int) -> str:
        """Returns the path of an image."""
        return self._annotations.path(index)

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was read and what was mended, a few lines."""
        return self._report.text(max_objects)

    def _size_message(self, index: int, expected: tuple[int, int], actual: tuple[int, int]) -> str:
        message = (
            f"{self.name(index)}: its annotation is for {expected[0]} x {expected[1]} pixels "
            f"(width x height), the image has {actual[0]} x {actual[1]}. "
        )
        if expected == actual[::-1]:
            return message + (
                "The sides are swapped: the file probably has an EXIF rotation that the annotation "
                "tool ignored. Rotate the pixels for good or remove the EXIF tag."
            )
        return message + "Mend the annotation's size, or replace the image."
