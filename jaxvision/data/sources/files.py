"""Detection examples from image files and annotations held in memory."""

from collections.abc import Callable

import numpy as np

from jaxvision.data.annotations import Annotations, clean
from jaxvision.data.errors import DataError
from jaxvision.data.image import read_bytes
from jaxvision.data.sample import ImageObjects, Sample
from jaxvision.data.source import Annotation
from jaxvision.data.sources.encoded import Encoded


class DetectionFiles(Encoded):
    """A detection dataset whose images are files.

    Attributes:
        annotations: All objects, cleaned.
        report: What was repaired.
        dense: Whether samples have instance masks: where the annotations have segmentations.
    """

    def __init__(
        self,
        annotations: Annotations,
        classes: tuple[str, ...],
        *,
        strict: bool = False,
        read: Callable[[int], bytes] | None = None,
        image_name: Callable[[int], str] | None = None,
    ) -> None:
        """Checks the annotations; no image is read.

        Args:
            annotations: As the reader found them.
            classes: Class names.
            strict: Treats boxes outside their image and boxes without extent as errors.
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
        self.dense = self.annotations.segmentations is not None
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
        """Reads an image with its objects."""
        self.check_index(index)
        image, _ = self.image(index)
        return Sample(image, index, self.objects(index, image.shape[:2]))

    def objects(
        self, index: int, size: tuple[int, int] | None = None, *, masks: bool = True
    ) -> ImageObjects:
        """Returns the objects of an image of that height and width, with masks if it is dense."""
        size = size or self.size(index)
        found, rows = self.annotations, self.annotations.rows(index)
        boxes, area = found.boxes[rows], found.area[rows]
        if found.sizes is None:
            boxes = boxes * np.array([size[1], size[0]] * 2, np.float32)
            area = area * np.float32(size[0] * size[1])
        shown = None
        if masks and found.segmentations is not None:
            shown = found.segmentations.masks(rows, boxes, size, self.name(index))
        return ImageObjects(boxes, found.classes[rows], found.crowd[rows], area, shown)

    def annotation(self, index: int) -> Annotation:
        """Returns what is known of an image without its pixels."""
        size = self.size(index)
        return Annotation(*size, self.objects(index, size, masks=False))

    def known_objects(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the classes and crowd flags of an image's objects; reads no file."""
        rows = self.annotations.rows(index)
        return self.annotations.classes[rows], self.annotations.crowd[rows]

    def decode(self, index: int, data: bytes, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Decodes an image; DataError also if it is not of the size that its annotation states."""
        image, reduction = super().decode(index, data, max_reduction)
        width, height = self._sizes[index].tolist()
        if height and image.shape[:2] != (-(-height // reduction), -(-width // reduction)):
            full = image if reduction == 1 else super().decode(index, data)[0]
            message = (
                f"{self.name(index)}: its annotation is for {width} x {height} pixels (width x "
                f"height), the image has {full.shape[1]} x {full.shape[0]}. "
            )
            if (width, height) == full.shape[:2]:
                message += (
                    "The sides are swapped: the file probably has an EXIF rotation that the "
                    "annotation tool ignored. Rotate the pixels for good or remove the EXIF tag."
                )
                raise DataError(message, code="swapped-sides")
            message += "Correct the annotation's size, or replace the image."
            raise DataError(message, code="wrong-size")
        return image, reduction

    def describe(self, max_objects: int | None = None) -> str:
        """Reports what was read and repaired, in a few lines."""
        return self.report.text(max_objects)

    def repaired(self) -> list[str]:
        """Reports what was repaired, a line each."""
        return self.report.repaired()
