"""Detection examples from image files and annotations held in memory."""

from collections.abc import Callable

import numpy as np

from jaxvision.data.annotations import Annotations, clean
from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.sample import ImageObjects, Sample
from jaxvision.data.segmentations import Segmentations
from jaxvision.data.source import Annotation
from jaxvision.data.sources.encoded import Encoded


class DetectionFiles(Encoded):
    """A detection dataset whose images are files.

    Attributes:
        annotations: All objects, cleaned.
        report: What was repaired.
        dense: Whether samples have instance masks.
    """

    def __init__(
        self,
        annotations: Annotations,
        classes: tuple[str, ...],
        *,
        strict: bool = False,
        masks: bool = False,
        read: Callable[[int], bytes] | None = None,
        image_name: Callable[[int], str] | None = None,
    ) -> None:
        """Checks the annotations; no image is read.

        Args:
            annotations: As the reader found them.
            classes: Class names.
            strict: Treats boxes outside their image and boxes without extent as errors.
            masks: Decodes the instance masks of every sample; `annotations` must have
                segmentations.
            read: Returns an image as it is stored; its file by default.
            image_name: Names an image; its path by default.

        Raises:
            DataError: If there is no image, or, with `strict`, for the first faulty box.
        """
        if len(annotations) == 0:
            raise DataError(
                f"{annotations.root}: the split has no images; expected at least one",
                code="no-images",
            )
        self.classes = classes
        self.annotations, self.report = clean(annotations, classes, strict=strict)
        found = self.annotations.segmentations
        self.dense = masks and found is not None
        self._segmentations = found or Segmentations()
        # Zeros where the annotation has no size and the image's header was not read yet.
        known = self.annotations.sizes
        super().__init__(
            np.zeros((len(annotations), 2), np.int32) if known is None else known,
            read or (lambda index: read_bytes(self.name(index))),
            image_name or self.annotations.path,
        )
        self.max_objects = int(np.diff(self.annotations.offsets).max())

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with its objects.

        Raises:
            DataError: If the image is missing, damaged, or not of the size that its annotation
                states.
        """
        self.check_index(index)
        image, _ = self.image(index)
        return Sample(image, index, self.objects(index, image.shape[:2]))

    def objects(self, index: int, size: tuple[int, int] | None = None) -> ImageObjects:
        """Returns the objects of an image of that height and width, masks where it is dense."""
        size = size or self.size(index)
        objects = self._objects(index, *size)
        if self.dense:
            rows = self.annotations.rows(index)
            masks = self._segmentations.masks(rows, objects.boxes, size, self.name(index))
            objects = objects.moved(objects.boxes, masks)
        return objects

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels.

        Raises:
            DataError: If the annotation has no size and the image's header cannot be read.
        """
        height, width = self.size(index)
        return Annotation(height, width, self._objects(index, height, width))

    def known_objects(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the classes and crowd flags of an image's objects; reads no file."""
        rows = self.annotations.rows(index)
        return self.annotations.classes[rows], self.annotations.crowd[rows]

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads an image; JPEG files at a fraction of their size, if that is asked for.

        Raises:
            DataError: As reading an example does.
        """
        image, reduction = super().image(index, max_reduction)
        width, height = self._sizes[index].tolist()
        expected = (-(-height // reduction), -(-width // reduction))
        if height and image.shape[:2] != expected:
            full = image if reduction == 1 else super().image(index)[0]
            raise self._size_fault(index, (width, height), full.shape[1::-1])
        return image, reduction

    def _objects(self, index: int, height: int, width: int) -> ImageObjects:
        """Returns the objects of an image of the given size, boxes in pixels, without masks."""
        found = self.annotations
        rows = found.rows(index)
        boxes, area = found.boxes[rows], found.area[rows]
        if found.sizes is None:
            boxes = boxes * np.array([width, height, width, height], np.float32)
            area = area * np.float32(width * height)
        return ImageObjects(boxes, found.classes[rows], found.crowd[rows], area)

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was read and repaired, in a few lines."""
        return self.report.text(max_objects)

    def repaired(self) -> list[str]:
        """Reports what was repaired, a line each."""
        return self.report.repaired()

    def _size_fault(
        self, index: int, expected: tuple[int, int], actual: tuple[int, ...]
    ) -> DataError:
        message = (
            f"{self.name(index)}: its annotation is for {expected[0]} x {expected[1]} pixels "
            f"(width x height), the image has {actual[0]} x {actual[1]}. "
        )
        if expected == actual[::-1]:
            message += (
                "The sides are swapped: the file probably has an EXIF rotation that the annotation "
                "tool ignored. Rotate the pixels for good or remove the EXIF tag."
            )
            return DataError(message, code="swapped-sides")
        return DataError(
            message + "Correct the annotation's size, or replace the image.", code="wrong-size"
        )
