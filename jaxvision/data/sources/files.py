"""Detection examples from image files and annotations held in memory."""

import numpy as np

from jaxvision.data.annotations import Annotations, clean
from jaxvision.data.errors import DataError
from jaxvision.data.image import can_reduce, decode_image, image_size, read_bytes
from jaxvision.data.sample import ImageObjects, Sample
from jaxvision.data.segmentations import Segmentations
from jaxvision.data.source import Annotation, Source


class DetectionFiles(Source):
    """A detection dataset whose images are files.

    Attributes:
        classes: Class names, in the order of their indices.
        max_objects: The most objects that one image has, crowds included.
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
    ) -> None:
        """Checks the annotations; no image is read.

        Args:
            annotations: As the reader found them.
            classes: Class names.
            strict: Treats boxes outside their image and boxes without extent as errors.
            masks: Decodes the instance masks of every sample; `annotations` must have
                segmentations.

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
        self._sizes = np.zeros((len(annotations), 2), np.int32) if known is None else known
        self.max_objects = int(np.diff(self.annotations.offsets).max())

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """Reads an image with its objects.

        Raises:
            DataError: If the image is missing, damaged, or not of the size that its annotation
                states.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"index must be in [0, {len(self)}), got {index}")
        image, _ = self.image(index)
        return Sample(image, index, self.objects(index, image.shape[:2]))

    def objects(self, index: int, size: tuple[int, int] | None = None) -> ImageObjects:
        """Returns the objects of an image, with masks where the source is dense.

        Args:
            index: Which image.
            size: Its height and width, if known.
        """
        if size is None:
            size = self.annotation(index)[:2]
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
        # Read from the header once; two threads that do so write the same values.
        if not self._sizes[index].any():
            height, width = image_size(self.encoded(index), self.name(index))
            self._sizes[index] = width, height
        width, height = self._sizes[index].tolist()
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
        return self.decode(index, self.encoded(index), max_reduction)

    def decode(self, index: int, data: bytes, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Decodes an image that was read already; otherwise as `image`."""
        reduction = max_reduction if can_reduce(data) else 1
        image = decode_image(data, self.name(index), reduction)
        width, height = self._sizes[index].tolist()
        expected = (-(-height // reduction), -(-width // reduction))
        if height and image.shape[:2] != expected:
            full = image if reduction == 1 else decode_image(data, self.name(index))
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

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored."""
        return read_bytes(self.name(index))

    def name(self, index: int) -> str:
        """Returns the path of an image."""
        return self.annotations.path(index)

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
