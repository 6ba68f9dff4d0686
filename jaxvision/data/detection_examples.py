"""From a source of images with objects to rows of a `DetectionBatch`."""

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxvision.data.augment.affine import RandomAffine
from jaxvision.data.augment.color import ColorJitter, HSVGain, HSVShift
from jaxvision.data.augment.crop import RandomCrop
from jaxvision.data.augment.cutmix import CutMix
from jaxvision.data.augment.erasing import Cutout, RandomErasing
from jaxvision.data.augment.flip import HorizontalFlip, VerticalFlip
from jaxvision.data.augment.letterbox import Fit, Letterbox, Pad
from jaxvision.data.augment.mixup import Mixup
from jaxvision.data.augment.mosaic import Mosaic
from jaxvision.data.augment.photometric import PhotometricDistortion
from jaxvision.data.augment.zoom_out import ZoomOut
from jaxvision.data.rows import detection_eval_row, detection_row, mask_truth
from jaxvision.data.source import Reader, Source, Transform
from jaxvision.data.transforms import DropSmall, Either, Example, Pipeline, drop_crowds
from jaxvision.ops import ranges

_AFFINE = RandomAffine()


def detection_reader(
    image_size: tuple[int, int],
    *,
    short_side: int = 0,
    mosaic: float = 0.0,
    mixup: float = 0.0,
    affine: RandomAffine = _AFFINE,
    max_reduction: int = 8,
    zoom_out: ZoomOut | None = None,
    crop: RandomCrop | None = None,
    cutmix: float = 0.0,
    extra: tuple[Transform, ...] = (),
    hsv: float = 1.0,
    hsv_gain: bool = False,
    flip: float = 0.5,
    min_side: float = 1.0,
) -> Reader:
    """Builds what draws one training image (YOLOX, Ge et al. 2021, as in its released code).

    In this order: mosaic with rotation, scale and shear, then mixup, or, in place of both, the
    image alone; zooming out; crop; resize to fit; cutmix; `extra`; colour; mirror image; the filter
    of small objects; padding. What is off draws no random numbers. If the filter leaves no object,
    the image is taken as it was before colour and mirroring, with all of its objects.

    Departs from the reference:
        Images without objects get colour and flip as the others; there, they get neither.

    Args:
        image_size: Height and width of the network's input in pixels.
        short_side: Of images in the input in pixels, as far as `image_size` allows it; 0 for as
            large as it allows.
        mosaic: Probability of a mosaic.
        mixup: Probability of mixup where a mosaic with objects was made.
        affine: Turns and scales the mosaic; its `filter_boxes` holds for mixup as well.
        max_reduction: Down to which fraction mosaic, mixup and cutmix may read images; 1 reads all
            at full size.
        zoom_out: Puts the image on a larger canvas.
        crop: Cuts a patch out before the image is scaled to the input.
        cutmix: Probability of cutmix.
        extra: Further transforms, in order. They see the image in the input's scale, not padded.
        hsv: Probability of a colour change.
        hsv_gain: Multiplies hue, saturation and value instead of adding to them.
        flip: Probability of a mirror image.
        min_side: Objects with a side of at most this many pixels of the input are not trained on.
    """
    if max_reduction not in (1, 2, 4, 8):
        raise ValueError(f"max_reduction must be 1, 2, 4 or 8, got {max_reduction}")
    probabilities = dict(mosaic=mosaic, mixup=mixup, cutmix=cutmix)
    ranges.check(probabilities, "[0, 1]", *probabilities)
    reader: Reader = Pipeline(transforms=(drop_crowds,))
    if mosaic:
        mixed: Reader = Mosaic(image_size, affine, max_reduction)
        if mixup:
            filtered = affine.filter_boxes
            mixed = Mixup(mixed, mixup, filter_boxes=filtered, max_reduction=max_reduction)
        reader = Either(mosaic, mixed, reader)
    # As in the reference, what follows the resizing sees the pixels of the network's input.
    patch = tuple(each for each in (zoom_out, crop) if each is not None)
    resized = Pipeline(reader, (*patch, Fit(image_size, short_side)))
    if cutmix:
        resized = CutMix(resized, cutmix, max_reduction=max_reduction)
    color = (HSVGain if hsv_gain else HSVShift)(hsv)
    last = DropSmall(min_side, (color, HorizontalFlip(flip)))
    return Pipeline(resized, (*extra, last, Pad(image_size)))


def detection_train_example(
    source: Source,
    image_size: tuple[int, int],
    max_objects: int = 120,
    *,
    no_aug: bool = False,
    mosaic_scale: tuple[float, float] = (0.1, 2.0),
    degrees: float = 10.0,
    translate: float = 0.1,
    shear: float = 2.0,
    affine_centered: bool = False,
    filter_boxes: bool = False,
    zoom_out: float = 0.0,
    crop: float = 0.0,
    photometric: float = 0.0,
    vertical_flip: float = 0.0,
    jitter: float = 0.0,
    erasing: float = 0.0,
    cutout: int = 0,
    max_proposals: int = 0,
    masks: bool = False,
    **options: Any,
) -> Example:
    """Returns a function `(index, rng) -> row` that makes training examples.

    Args:
        source: Where the images come from.
        image_size: Height and width of the network's input in pixels.
        max_objects: Objects an image, N; of an image with more, the first N are kept.
        no_aug: Leaves out mosaic, mixup and cutmix, as in the last epochs of a YOLOX training.
        mosaic_scale: Least and largest scale of the mosaic.
        degrees: Range of the mosaic's rotation.
        translate: Range of its shift, as a part of the input's sides.
        shear: Range of its shear in degrees.
        affine_centered: Turns and scales it about the canvas's centre, not its corner.
        filter_boxes: Drops objects of which mosaic and mixup leave little.
        zoom_out: Probability of a larger canvas.
        crop: Probability of a random crop.
        photometric: Probability of SSD's changes of colour.
        vertical_flip: Probability of turning upside down.
        jitter: Range of brightness, contrast and saturation.
        erasing: Probability of a rectangle of noise.
        cutout: Number of grey squares of an eighth of the input's height.
        max_proposals: Regions of interest an image, P; 0 for none.
        masks: Whether rows hold the objects' masks.
        **options: All further options of `detection_reader`: `mosaic`, `mixup`, `hsv`, ...

    Returns:
        Rows of image [H, W, 3], index [], boxes [N, 4], classes [N] and valid [N], perhaps
        proposals [P, 4] and proposal_valid [P], or masks [N, H, W].
    """
    extra: dict[Transform, float] = {
        VerticalFlip(vertical_flip): vertical_flip,
        PhotometricDistortion(photometric): photometric,
        ColorJitter(jitter, jitter, jitter): jitter,
        RandomErasing(erasing, max_covered=0.8): erasing,
        Cutout(max(cutout, 1), max(1, image_size[0] // 8), max_covered=0.8): cutout,
    }
    ranges.check({"max_objects": max_objects}, "[1, 10_000]", "max_objects")
    ranges.check({"cutout": cutout}, "[0, 1000]", "cutout")
    # A config holds a list.
    scale: Any = tuple(mosaic_scale)
    affine = RandomAffine(degrees, translate, scale, shear, affine_centered, filter_boxes)
    if no_aug:
        options |= {"mosaic": 0.0, "mixup": 0.0, "cutmix": 0.0}
    reader = detection_reader(
        image_size,
        affine=affine,
        zoom_out=ZoomOut(zoom_out) if zoom_out else None,
        crop=RandomCrop(crop) if crop else None,
        extra=tuple(transform for transform, used in extra.items() if used),
        **options,
    )
    row = functools.partial(
        detection_row, max_objects=max_objects, max_proposals=max_proposals, masks=masks
    )
    return Example(source, reader, row)


@dataclasses.dataclass(frozen=True)
class DetectionEvalExample:
    """Prepares one image of a source for evaluation: letterbox only, every object kept.

    Attributes:
        source: Where the examples come from.
        letterbox: Fits images into the network's input.
        max_objects: Objects an image, N; what the fullest image needs by default.
        max_proposals: Regions of interest an image, P; 0 for none.
        masks: Whether `truth` holds the masks of the objects at the image's own size.
    """

    source: Source
    letterbox: Letterbox
    max_objects: int | None = None
    max_proposals: int = 0
    masks: bool = False

    def __post_init__(self) -> None:
        if self.max_objects is not None and self.max_objects < self.source.max_objects:
            raise ValueError(
                f"max_objects must be at least {self.source.max_objects}, the objects of the "
                f"fullest image, or the metric would miss some; got {self.max_objects}"
            )

    def groups(self) -> list[list[int]]:
        """Returns the indices of the images of each shape, for `InOrder(groups=...)`."""
        groups = {shape: [] for shape in self.letterbox.shapes or (self.letterbox.size,)}
        for index in range(len(self.source)):
            found = self.source.annotation(index)
            groups[self.letterbox.shape((found.height, found.width))].append(index)
        return [group for group in groups.values() if group]

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> dict[str, Any]:
        """Returns the keys of a `DetectionBatch` for one image, all but `mask`."""
        original = self.source[index]
        truth = {"truth": mask_truth(original)} if self.masks else {}
        if original.objects is not None and original.objects.masks is not None:
            # Resizing them would take long, and move the boxes to their edges.
            objects = original.objects.moved(original.objects.boxes)
            original = original.replace(objects=objects)
        sample = self.letterbox(original, rng)
        rows = max(1, self.source.max_objects if self.max_objects is None else self.max_objects)
        return detection_eval_row(sample, rows, self.max_proposals) | truth
