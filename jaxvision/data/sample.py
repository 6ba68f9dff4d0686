"""One example of any vision task, on the host: an image and whatever belongs to it."""

import dataclasses
from collections.abc import Sequence

import numpy as np

# Label of pixels that have no class: padding, and what the annotation leaves open.
VOID = 255


@dataclasses.dataclass(frozen=True, eq=False)
class ImageObjects:
    """The n objects of one image; n may be 0.

    Attributes:
        boxes: xyxy in pixels of the image [n, 4] float32.
        classes: Index into the source's `classes` [n] int32.
        crowd: Objects that are never trained on and that the metric ignores [n] bool.
        area: Area in pixels of the original image, which no transform changes: of the mask where
            the data has one, else of the box [n] float32.
        masks: Which pixels show each object [n, H, W] bool; None without instance masks.
    """

    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    area: np.ndarray
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, chosen: np.ndarray | slice) -> "ImageObjects":
        """Returns the objects of some indices, of a slice, or where a mask [n] is true."""
        return ImageObjects(
            self.boxes[chosen],
            self.classes[chosen],
            self.crowd[chosen],
            self.area[chosen],
            None if self.masks is None else self.masks[chosen],
        )

    def trained(self) -> "ImageObjects":
        """Returns the objects without the crowds."""
        return self.take(~self.crowd) if self.crowd.any() else self

    def moved(self, boxes: np.ndarray, masks: np.ndarray | None = None) -> "ImageObjects":
        """Returns the same objects in other places."""
        return ImageObjects(boxes, self.classes, self.crowd, self.area, masks)


def image_objects(
    boxes: Sequence[Sequence[float]] | np.ndarray,
    classes: Sequence[int] | np.ndarray | None = None,
    crowd: Sequence[bool] | np.ndarray | None = None,
    area: Sequence[float] | np.ndarray | None = None,
    masks: np.ndarray | None = None,
) -> ImageObjects:
    """Makes objects of any sequences, in the shapes and dtypes that `ImageObjects` has.

    By default all are of class 0, none is a crowd, and areas are those of the boxes.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    if area is None:
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return ImageObjects(
        boxes,
        np.zeros(count, np.int32) if classes is None else np.asarray(classes, np.int32),
        np.zeros(count, bool) if crowd is None else np.asarray(crowd, bool),
        np.asarray(area, np.float32),
        masks,
    )


def concatenate(parts: Sequence[ImageObjects]) -> ImageObjects:
    """Joins the objects of images, at least one; masks only if all have them, of one size."""
    masks = [part.masks for part in parts if part.masks is not None]
    names = ("boxes", "classes", "crowd", "area")
    return ImageObjects(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
        masks=np.concatenate(masks) if len(masks) == len(parts) else None,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """One example, before it becomes a row of a batch.

    Transforms never write into the arrays of a sample: a source may hold them.

    Attributes:
        image: RGB pixels [H, W, 3] uint8, or the frames of a clip [T, H, W, 3].
        index: Which example of its source it is.
        objects: Boxes, classes and perhaps instance masks.
        label: Class [] int32, or the targets of a multi-label problem [K] float32.
        mask: Class of each pixel, `VOID` for none [H, W] uint8 or int32.
        target: Image to be predicted [s * H, s * W, C], s a whole number.
        proposals: Regions of interest, xyxy in pixels of the image [P, 4] float32.
        scale: Pixels of `image` per pixel of the original.
    """

    image: np.ndarray
    index: int
    objects: ImageObjects | None = None
    label: np.ndarray | None = None
    mask: np.ndarray | None = None
    target: np.ndarray | None = None
    proposals: np.ndarray | None = None
    scale: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self.image.shape[-3], self.image.shape[-2]

    @property
    def target_factor(self) -> int:
        """s: how many pixels of the target lie along one pixel of the image; 1 without a target."""
        return 1 if self.target is None else self.target.shape[0] // self.size[0]

    def replace(self, **changes: object) -> "Sample":
        """Returns the sample with some of its fields replaced."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]
