"""The method of YOLOv1: one responsible box a cell, squared errors.

You Only Look Once, Redmon et al. 2015, https://arxiv.org/abs/1506.02640, section 2.2 and
equation 3, as the authors' code (detection layer) has it: the confidence predicts the overlap, the
first object of a cell keeps it, and where both boxes miss it the nearer one is responsible.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.detector_output import DetectorOutput, objectness_of
from jaxvision.models.detection.yolov1 import STRIDE
from jaxvision.ops import ranges
from jaxvision.ops.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects, without_padding
from jaxvision.ops.top_pairs import top_pairs


class Cells(NamedTuple):
    """The grid of an image, rows first.

    Attributes:
        corners: Column and row of each cell [C, 2] float32.
        size: Columns and rows of the grid.
    """

    corners: np.ndarray
    size: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class YOLOv1Method:
    """Equation 3 over two boxes a cell.

    Attributes:
        boxes: Boxes of a cell.
        box_weight: Factor of the errors of boxes, the paper's lambda of coordinates.
        background_weight: Factor of the confidence of boxes without an object.
        stride: Side of a cell of the network in pixels.

    Raises:
        ValueError: If a number is out of range.
    """

    boxes: int = 2
    box_weight: float = 5.0
    background_weight: float = 0.5
    stride: int = STRIDE

    def __post_init__(self) -> None:
        ranges.check(self, "[1, inf)", "boxes", "stride")
        ranges.check(self, "[0, inf)", "box_weight", "background_weight")

    def priors(self, height: int, width: int) -> Cells:
        """Lays out the cells of an image of this size."""
        rows, columns = height // self.stride, width // self.stride
        y, x = np.mgrid[:rows, :columns]
        return Cells(np.stack([x, y], -1).reshape(-1, 2).astype(np.float32), (columns, rows))

    def loss(
        self,
        output: DetectorOutput,
        cells: Cells,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Compares the responsible boxes with the objects whose centres lie in their cells.

        Each term is a sum over an image, and the mean over the images.

        Args:
            output: Raw predictions [B, A], the boxes of a cell beside each other.
            cells: The cells of the images.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `center`, `size`, `objectness`, `background` and `classification`; logs:
            `matches_per_object`.
        """
        del step, key
        objects = without_padding(objects)
        batch, count = len(objects.boxes), len(cells.corners)
        owner, center, size = self._owners(cells, objects)
        occupied = owner >= 0
        code = output.box_regression.reshape(batch, count, self.boxes, 4)
        responsible, overlap = self._responsible(code, cells, center, size)
        chosen = responsible[..., None] == jnp.arange(self.boxes)[None, None]
        used = chosen & occupied[..., None]

        place = center - jnp.asarray(cells.corners)[None]
        root = jnp.sqrt(jnp.where(occupied[..., None], size, 0.0))
        target = jnp.concatenate([place, root], axis=-1)[:, :, None]
        error = jnp.where(used[..., None], jnp.square(code - target), 0.0)
        confidence = objectness_of(output).reshape(batch, count, self.boxes)
        hit = jnp.where(used, jnp.square(confidence - overlap), 0.0)
        miss = jnp.where(used, 0.0, jnp.square(confidence))
        scores = output.class_logits[:, :: self.boxes]
        classes = jnp.take_along_axis(objects.classes, jnp.maximum(owner, 0), axis=1)
        wrong = jnp.square(scores - jax.nn.one_hot(classes, scores.shape[-1])).sum(axis=-1)
        return DetectionLoss(
            terms=dict(
                center=self.box_weight * error[..., :2].sum() / batch,
                size=self.box_weight * error[..., 2:].sum() / batch,
                objectness=hit.sum() / batch,
                background=self.background_weight * miss.sum() / batch,
                classification=jnp.where(occupied, wrong, 0.0).sum() / batch,
            ),
            logs=dict(matches_per_object=occupied.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def _owners(self, cells: Cells, objects: Objects) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The first object of each cell [B, C], -1 for none; its centre in cells, its size [.., 2].

        Sizes are shares of the image.
        """
        columns, rows = cells.size
        count, number = columns * rows, jnp.arange(objects.boxes.shape[1])
        coded = xyxy_to_cxcywh(objects.boxes)
        center = coded[..., :2] / self.stride
        limit = jnp.asarray([columns - 1, rows - 1], jnp.float32)[None, None]
        cell = jnp.clip(jnp.floor(center), 0, limit).astype(jnp.int32)
        index = jnp.where(objects.valid, cell[..., 1] * columns + cell[..., 0], count)
        image = jnp.arange(len(index))[:, None]
        last = len(number)
        owner = jnp.full((len(index), count), last).at[image, index].min(number[None], mode="drop")
        owner = jnp.where(owner == last, -1, owner)
        own = jnp.maximum(owner, 0)[..., None]
        sides = jnp.asarray([columns, rows], jnp.float32)[None, None] * self.stride
        size = jnp.take_along_axis(coded[..., 2:] / sides, own, axis=1)
        return owner, jnp.take_along_axis(center, own, axis=1), size

    def _responsible(
        self, code: jax.Array, cells: Cells, center: jax.Array, size: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The box of each cell [B, C] that predicts its object, and all boxes' overlaps."""
        code = jax.lax.stop_gradient(code)
        grid = jnp.asarray(cells.size, jnp.float32)[None, None, None]
        corners = jnp.asarray(cells.corners)[None, :, None]
        predicted = jnp.concatenate(
            [(code[..., :2] + corners) / grid, jnp.square(code[..., 2:])], axis=-1
        )
        truth = jnp.concatenate([center[:, :, None] / grid, size[:, :, None]], axis=-1)
        overlap = iou(cxcywh_to_xyxy(predicted), cxcywh_to_xyxy(truth), epsilon=1e-12)
        distance = jnp.square(predicted - truth).sum(axis=-1)
        hit = (overlap > 0).any(axis=-1)
        responsible = jnp.where(hit, overlap.argmax(axis=-1), distance.argmin(axis=-1))
        return responsible, overlap

    def decode(self, output: DetectorOutput, cells: Cells) -> Candidates:
        """Decodes all pairs of a box and a class, scored class times confidence."""
        scores = output.class_logits * objectness_of(output)[..., None]
        scores, index, classes = top_pairs(scores, scores.shape[1] * scores.shape[2])
        corners = jnp.repeat(jnp.asarray(cells.corners), self.boxes, axis=0)[None]
        sides = jnp.asarray(cells.size, jnp.float32)[None, None] * self.stride
        code = output.box_regression
        boxes = jnp.concatenate(
            [(code[..., :2] + corners) * self.stride, jnp.square(code[..., 2:]) * sides], axis=-1
        )
        boxes = jnp.take_along_axis(cxcywh_to_xyxy(boxes), index[..., None], axis=1)
        return Candidates(boxes=boxes, scores=jnp.clip(scores, 0.0, 1.0), classes=classes)
