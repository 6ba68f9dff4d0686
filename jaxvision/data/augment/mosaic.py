"""Four images around a point, turned and scaled (YOLOX, https://arxiv.org/abs/2107.08430).

The reference resizes four images, pastes them on a canvas of twice the input's sides and warps
that. Here resizing, pasting and warping are one matrix for each image, each is sampled once, and
those that end up outside are not decoded.
"""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from jaxvision.data import boxes as boxes_of
from jaxvision.data.augment import geometry
from jaxvision.data.augment.affine import RandomAffine
from jaxvision.data.augment.letterbox import fitted
from jaxvision.data.augment.warp import extent, paint, part_of, reduction
from jaxvision.data.sample import VOID, ImageObjects, Sample, concatenate, image_objects
from jaxvision.data.source import Source, read_reduced


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """Puts an image and three others around a point, and turns and scales the whole.

    Each is scaled as for a letterbox of the input's size. The point is drawn from the middle half
    of a canvas of twice the input's sides; what reaches beyond the canvas is cut off.

    Departs from the reference:
        Each image is interpolated once instead of twice, and an image that shrinks to half or less
        is read as means of 2 x 2, 4 x 4 or 8 x 8 pixels; there, shrinking skips pixels. Each image
        reaches half a pixel further on all sides, where the reference mixes what meets.

    Attributes:
        size: Height and width of the result in pixels.
        affine: Turns and scales the canvas.
        max_reduction: Down to which fraction images may be read; 1 reads all at full size.
    """

    size: tuple[int, int]
    affine: RandomAffine = RandomAffine()
    max_reduction: int = 8

    def __call__(self, source: Source, index: int, rng: np.random.Generator) -> Sample:
        """Makes a mosaic of an image, at the top left, and three drawn with replacement.

        Returns:
            A sample of `size` with the objects of all four images but for crowds, without extent
            where they were cut off, and no label.
        """
        height, width = self.size
        # Cut to whole pixels, as in the reference.
        center_y, center_x = (int(rng.uniform(0.5, 1.5) * side) for side in self.size)
        indices = [index, *rng.integers(0, len(source), 3).tolist()]
        matrix, scale = self.affine.draw(self.size, rng)

        canvas = _Canvas(self.size)
        parts: list[ImageObjects] = []
        proposals: list[np.ndarray] = []
        for corner, number in enumerate(indices):
            found = source.annotation(number)
            objects = image_objects([]) if found.objects is None else found.objects.trained()
            fit, (h, w) = fitted((found.height, found.width), self.size)
            left = center_x if corner % 2 else center_x - w
            top = center_y if corner >= 2 else center_y - h

            x1, y1 = max(left, 0), max(top, 0)
            x2, y2 = min(left + w, 2 * width), min(top + h, 2 * height)
            where = extent((x1, y1, x2, y2), matrix, self.size)
            masks = None
            if where is not None:
                by = min(reduction(matrix, fit), self.max_reduction)
                tile = read_reduced(source, number, by)
                part = (x1 - left) / w, (y1 - top) / h, (x2 - left) / w, (y2 - top) / h
                # Enlarged first, or the rim would be off by half of a large pixel.
                enlarged = (h, w) if fit > 1 else None
                place = _Place((x1, y1, x2, y2), part, enlarged, matrix, where)
                masks = canvas.add(tile, place)
            elif source.dense:
                masks = np.zeros((len(objects), height, width), bool)
            parts.append(objects.moved(objects.boxes * fit + (left, top) * 2, masks))
            if found.proposals is not None:
                proposals.append(found.proposals * fit + (left, top) * 2)

        def move(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            before = np.clip(boxes, 0, (2 * width, 2 * height) * 2)
            return before, boxes_of.clip(boxes_of.hull(before, matrix), self.size)

        joined = concatenate(parts)
        before, after = move(joined.boxes)
        masks = joined.masks if canvas.masks else None
        if masks is not None:
            after = boxes_of.of_masks(masks)
        joined = joined.moved(after, masks).take(self.affine.kept(before, after, scale))
        regions = move(np.concatenate(proposals))[1] if proposals else None
        blank = Sample(np.full((height, width, 3), geometry.FILL, np.uint8), index)
        return blank.replace(objects=joined, proposals=regions, **canvas.fields)


class _Place(NamedTuple):
    """Where a tile goes.

    Resized to `enlarged`, if that is given, its `part`, as fractions of its width and height,
    covers the rectangle `seen` of the large canvas, which `matrix` maps to `where` in the result.
    """

    seen: tuple[int, int, int, int]
    part: tuple[float, float, float, float]
    enlarged: tuple[int, int] | None
    matrix: np.ndarray
    where: tuple[int, int, int, int]

    def paint(self, canvas: np.ndarray, image: np.ndarray, factor: int = 1) -> None:
        """Paints an image [h, w, C] at a multiple of the size, or a label map or mask [h, w]."""
        labels = image.ndim == 2
        if self.enlarged and labels:
            image = np.ascontiguousarray(geometry.nearest(image, self.enlarged))
        elif self.enlarged:
            height, width = self.enlarged
            image = cv2.resize(image, (factor * width, factor * height))
        if labels:
            canvas, image = geometry.as_opencv(canvas), geometry.as_opencv(image)
        paint(
            canvas,
            part_of(image, self.part),
            tuple(factor * edge for edge in self.seen),
            geometry.scaled_matrix(self.matrix, factor),
            tuple(factor * edge for edge in self.where),
            cv2.INTER_NEAREST if labels else cv2.INTER_LINEAR,
        )


class _Canvas:
    """The result in the making.

    Attributes:
        fields: Its arrays by their names in `Sample`; each appears with the first tile that has it.
        masks: Whether a tile had instance masks.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.fields: dict[str, np.ndarray] = {}
        self.masks = False
        self._size = size

    def add(self, tile: Sample, place: _Place) -> np.ndarray | None:
        """Paints a tile; returns the masks of its objects, without crowds, in the result."""
        self._paint("image", tile.image, place, 1)
        if tile.target is not None:
            self._paint("target", tile.target, place, tile.target_factor)
        if tile.mask is not None:
            void = np.full(self._size, VOID, tile.mask.dtype)
            place.paint(self.fields.setdefault("mask", void), tile.mask)
        masks = None if tile.objects is None else tile.objects.trained().masks
        if masks is None:
            return None
        self.masks = True
        moved = np.zeros((len(masks), *self._size), bool)
        for mask, canvas in zip(masks, moved, strict=True):
            place.paint(canvas, mask)
        return moved

    def _paint(self, name: str, image: np.ndarray, place: _Place, factor: int) -> None:
        """Paints an image or the frames of a clip."""
        height, width = self._size
        shape = factor * height, factor * width, image.shape[-1]
        if name not in self.fields:
            self.fields[name] = np.full((*image.shape[:-3], *shape), geometry.FILL, image.dtype)
        frames = image.reshape(-1, *image.shape[-3:])
        for canvas, frame in zip(self.fields[name].reshape(-1, *shape), frames, strict=True):
            place.paint(canvas, frame, factor)
