"""What the methods of YOLOv2 to v5 share: anchors of a few sizes in the cells of each map."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.ops import ranges
from jaxvision.ops.grid_anchors import GridAnchors, grid_anchors
from jaxvision.ops.nms import Candidates
from jaxvision.ops.top_pairs import top_pairs

# Of each map, width and height in pixels of the anchors of a cell.
Sizes = tuple[tuple[tuple[float, float], ...], ...]


@dataclasses.dataclass(frozen=True)
class AnchorMethod:
    """Anchors over several maps.

    Attributes:
        anchors: Of each map, width and height in pixels of the anchors of a cell.
        strides: Of the network's maps, ascending.
        pre_nms: Pairs of an anchor and a class that enter suppression, at most.

    Raises:
        ValueError: If the maps do not have as many anchors each, or a number is out of range.
    """

    anchors: Sizes
    strides: tuple[int, ...]
    pre_nms: int = dataclasses.field(default=3000, kw_only=True)

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.anchors):
            expected, got = len(self.strides), len(self.anchors)
            raise ValueError(f"anchors must be those of {expected} maps, got {got}")
        if len({len(level) for level in self.anchors}) != 1:
            raise ValueError(f"anchors must be as many on every map, got {self.anchors}")
        for size in (size for level in self.anchors for size in level):
            if len(size) != 2 or not all(0 < side < math.inf for side in size):
                raise ValueError(f"an anchor must be a width and a height in pixels, got {size}")
        ranges.check(self, "[1, inf)", "pre_nms")

    @property
    def anchors_per_cell(self) -> int:
        """Anchors of one cell."""
        return len(self.anchors[0])

    def priors(self, height: int, width: int) -> GridAnchors:
        """Lays out the anchors of an image of this size."""
        return grid_anchors(height, width, self.strides, self.anchors)

    def best_candidates(
        self, output: DetectorOutput, boxes: jax.Array, classes: jax.Array
    ) -> Candidates:
        """Returns the best pairs of a box [B, A, 4] and a class, scored class times objectness.

        `classes` are the probabilities of the classes [B, A, K].
        """
        scores = classes * jax.nn.sigmoid(objectness_of(output))[..., None]
        scores, index, best = top_pairs(scores, self.pre_nms)
        boxes = jnp.take_along_axis(boxes, index[..., None], axis=1)
        return Candidates(boxes=boxes, scores=scores, classes=best)
