"""From a source's example to one row of a `DetectionBatch`."""

import dataclasses
import functools

import numpy as np

from jaxvision.data.augment.affine import RandomAffine
from jaxvision.data.augment.color import HSVGain, HSVShift
from jaxvision.data.augment.crop import RandomCrop
from jaxvision.data.augment.cutmix import CutMix
from jaxvision.data.augment.flip import HorizontalFlip
from jaxvision.data.augment.letterbox import fit, fitted, pad
from jaxvision.data.augment.mixup import Mixup
from jaxvision.data.augment.mosaic import Mosaic
from jaxvision.data.augment.transform import Transform
from jaxvision.data.example import DetectionSource, LazyDetectionSource, lazy


def pad_objects(max_objects: int, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    """Pads arrays [n, ...] with zeros to [max_objects, ...]; what exceeds is cut off.

    Args:
        max_objects: Rows of the results.
        **arrays: One row an object, all of the same n.

    Returns:
        The arrays by their names, and `valid` [max_objects], True for the first min(n,
        max_objects).
    """
    padded = {}
    for name, array in arrays.items():
        padded[name] = np.zeros((max_objects, *array.shape[1:]), array.dtype)
        padded[name][: len(array)] = array[:max_objects]
    count = len(next(iter(arrays.values())))
    return {**padded, "valid": np.arange(max_objects) < count}


@dataclasses.dataclass(frozen=True)
class DetectionTrainSample:
    """Draws one training image of a source (YOLOX, Ge et al. 2021, as in its released code).

    The stages in their order: mosaic with rotation, scale and shear, then mixup, or, in place of
    both, the image alone; crop; letterbox; cutmix; `extra`; colour; mirror image; and the filter of
    small objects. What is off draws no random numbers. If the filter leaves none of the objects,
    the image is taken as it was before colour and mirroring, and with all of them, also those of
    which nothing is seen.

    Departs from the reference:
        Images without objects get colour and flip as the others; there, they get neither. `Mosaic`
        and `Mixup` say where they depart.

    Attributes:
        source: Where the examples come from.
        image_size: Height and width of the network's input in pixels.
        max_objects: Objects an image, N; of an image with more, the first N are kept.
        flip: Probability of a mirror image.
        hsv: Probability of a colour change.
        hsv_gain: Multiplies hue, saturation and value instead of adding to them.
        mosaic: Probability of a mosaic.
        mixup: Probability of mixup where a mosaic with objects was made.
        affine: Turns and scales the mosaic; its `filter_boxes` holds for mixup as well.
        max_reduction: Down to which fraction mosaic, mixup and cutmix may read images; 1 reads all
            at full size.
        crop: Cuts a patch out before the image is scaled to the input.
        cutmix: Probability of cutmix.
        extra: Further transforms, in order. They see the image in the input's scale, not padded.
        min_side: Objects with a side of at most this many pixels of the input are not trained on.
    """

    source: DetectionSource
    image_size: tuple[int, int]
    max_objects: int = 120
    flip: float = 0.5
    hsv: float = 1.0
    hsv_gain: bool = False
    mosaic: float = 0.0
    mixup: float = 0.0
    affine: RandomAffine = RandomAffine()
    max_reduction: int = 8
    crop: RandomCrop | None = None
    cutmix: float = 0.0
    extra: tuple[Transform, ...] = ()
    min_side: float = 1.0

    @functools.cached_property
    def _lazy(self) -> LazyDetectionSource:
        return lazy(self.source)

    def __call__(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Returns image [H, W, 3], boxes [N, 4], classes [N], valid [N] and index []."""
        # 1. Mosaic and affine, 2. mixup.
        if self.mosaic and rng.random() < self.mosaic:
            mosaic = Mosaic(self.image_size, self.affine, self.max_reduction)
            drawn = mosaic(self._lazy, index, rng)
            if self.mixup and len(drawn[1]) and rng.random() < self.mixup:
                mixup = Mixup(
                    filter_boxes=self.affine.filter_boxes, max_reduction=self.max_reduction
                )
                drawn = mixup(*drawn, self._lazy, rng)
        else:
            image, boxes, classes, crowd, _ = self.source[index]
            drawn = image, boxes[~crowd], classes[~crowd]

        # 3. Crop, 4. scale: as in the reference, what follows sees the pixels of the network.
        if self.crop is not None:
            drawn = self.crop(*drawn, rng)
        image, boxes, classes = drawn
        image, boxes, _ = fit(image, boxes, self.image_size)

        # 5. CutMix, 6. others.
        if self.cutmix and rng.random() < self.cutmix:
            cutmix = CutMix(max_reduction=self.max_reduction)
            image, boxes, classes = cutmix(image, boxes, classes, self._lazy, rng)
        for transform in self.extra:
            image, boxes, classes = transform(image, boxes, classes, rng)

        # 7. Colour, 8. flip.
        before = image, boxes
        image = (HSVGain if self.hsv_gain else HSVShift)(self.hsv)(image, rng)
        image, boxes = HorizontalFlip(self.flip)(image, boxes, rng)

        # 9. Objects that are too small; colour and flip are undone if that is all of them.
        kept = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) > self.min_side
        if len(kept) and not kept.any():
            (image, boxes), kept = before, ~kept
        objects = pad_objects(self.max_objects, boxes=boxes[kept], classes=classes[kept])
        image = pad(image, self.image_size)
        return {"image": image, "index": np.asarray(index, np.int32), **objects}


@dataclasses.dataclass(frozen=True)
class DetectionEvalSample:
    """Prepares one image of a source for evaluation: letterbox only, every object kept.

    Attributes:
        source: Where the examples come from.
        image_size: Height and width of the network's input in pixels.
        max_objects: Objects an image, N; what the fullest image needs by default.
        shapes: Heights and widths that an image is padded to instead, the first that holds it once
            it was resized to fit `image_size`; the last must be `image_size` itself.
    """

    source: DetectionSource
    image_size: tuple[int, int]
    max_objects: int | None = None
    shapes: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.max_objects is not None and self.max_objects < self.source.max_objects:
            raise ValueError(
                f"max_objects must be at least {self.source.max_objects}, the objects of the "
                f"fullest image, or the metric would miss some; got {self.max_objects}"
            )
        if self.shapes and self.shapes[-1] != self.image_size:
            raise ValueError(
                f"the last of shapes must be image_size, {self.image_size}, got {self.shapes[-1]}"
            )

    @functools.cached_property
    def _rows(self) -> int:
        return max(1, self.source.max_objects if self.max_objects is None else self.max_objects)

    def groups(self) -> list[list[int]]:
        """Returns the indices of the images of each shape, for an `EvalStream`."""
        source = lazy(self.source)
        groups = {shape: [] for shape in self.shapes or (self.image_size,)}
        for index in range(len(source)):
            found = source.annotation(index)
            _, inner = fitted((found.height, found.width), self.image_size)
            groups[self._shape(inner)].append(index)
        return [group for group in groups.values() if group]

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        """Returns the keys of a `DetectionBatch` for one image, all but `mask`."""
        image, boxes, classes, crowd, area = self.source[index]
        image, boxes, scale = fit(image, boxes, self.image_size)
        image = pad(image, self._shape(image.shape[:2]))
        objects = pad_objects(self._rows, boxes=boxes, classes=classes, crowd=crowd, area=area)
        return {
            "image": image,
            "index": np.asarray(index, np.int32),
            "scale": np.asarray(scale, np.float32),
            **objects,
        }

    def _shape(self, inner: tuple[int, ...]) -> tuple[int, int]:
        """Returns the shape that an image of height and width `inner` is padded to."""
        holds = (shape for shape in self.shapes if inner[0] <= shape[0] and inner[1] <= shape[1])
        return next(holds, self.image_size)
