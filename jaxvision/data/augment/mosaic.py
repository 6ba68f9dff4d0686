"""Four images around a point, turned and scaled (YOLOX, https://arxiv.org/abs/2107.08430).

The reference resizes four images, pastes them on a canvas of twice the input's sides and warps
that. Here resizing, pasting and warping are one matrix for each image, each is read once, and those
that end up outside are not decoded.
"""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment.affine import RandomAffine, transform_boxes
from jaxvision.data.augment.letterbox import FILL
from jaxvision.data.augment.warp import crop, extent, paint, reduction
from jaxvision.data.example import LazyDetectionSource


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """Puts an image and three others around a point, and turns and scales the whole.

    Each is scaled as for a letterbox of the input's size. The point is drawn from the middle half
    of a canvas of twice the input's sides; what reaches beyond the canvas is cut off.

    Departs from the reference:
        One bilinear look at each image instead of two, and an image that shrinks to half or less
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

    def __call__(
        self, source: LazyDetectionSource, index: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Makes a mosaic.

        Args:
            source: Where the images come from.
            index: The first image; it goes to the top left, the others, drawn with replacement, to
                the top right, bottom left and bottom right.
            rng: Decides.

        Returns:
            Image [*size, 3] uint8; boxes [n, 4] float32 of all four images, crowds left out,
            without extent where they were cut off; classes [n] int32.
        """
        height, width = self.size
        # Cut to whole pixels, as in the reference.
        center_y, center_x = (int(rng.uniform(0.5, 1.5) * side) for side in self.size)
        indices = [index, *rng.integers(0, len(source), 3).tolist()]
        matrix, scale = self.affine.draw(self.size, rng)

        image = np.full((height, width, 3), FILL, np.uint8)
        boxes, classes = [], []
        for corner, number in enumerate(indices):
            found = source.annotation(number)
            fit = min(height / found.height, width / found.width)
            # A strip of 2,000 x 1 pixels keeps one row.
            h, w = max(1, int(found.height * fit)), max(1, int(found.width * fit))
            left = center_x if corner % 2 else center_x - w
            top = center_y if corner >= 2 else center_y - h
            boxes.append(found.boxes[~found.crowd] * fit + (left, top) * 2)
            classes.append(found.classes[~found.crowd])

            x1, y1 = max(left, 0), max(top, 0)
            x2, y2 = min(left + w, 2 * width), min(top + h, 2 * height)
            where = extent((x1, y1, x2, y2), matrix, self.size)
            if where is None:
                continue
            tile, _ = source.image(number, min(reduction(matrix, fit), self.max_reduction))
            if fit > 1:
                # Or the rim would be off by half of a large pixel.
                tile = cv2.resize(tile, (w, h))
            part = (x1 - left) / w, (y1 - top) / h, (x2 - left) / w, (y2 - top) / h
            paint(image, crop(tile, part), (x1, y1, x2, y2), matrix, where)

        before = np.clip(np.concatenate(boxes), 0, (2 * width, 2 * height) * 2)
        after = transform_boxes(before, matrix, self.size)
        kept = self.affine.kept(before, after, scale)
        return image, after[kept], np.concatenate(classes)[kept]
