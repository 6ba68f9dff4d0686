"""The method of the region proposal network: anchors, targets, sampling, proposals.

Faster R-CNN, Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3.1; over a pyramid: FPN,
Lin et al. 2017, https://arxiv.org/abs/1612.03144, section 4.1. Equal to torchvision's.
Departs from the paper, as torchvision does: anchors that cross the edges of the image are trained,
too; the box term is divided by the number of sampled anchors, with a bend at 1/9.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxvision.assigners.assignment import Assignment
from jaxvision.assigners.max_iou import check_thresholds, max_iou
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.losses.smooth_l1 import smooth_l1
from jaxvision.models.detection.faster_rcnn import ProposalOutput
from jaxvision.ops import box_coding, ranges
from jaxvision.ops.anchors import Anchors, anchor_boxes
from jaxvision.ops.balanced_choice import balanced_choice
from jaxvision.ops.boxes import without_slivers
from jaxvision.ops.nms import Candidates, Detections, non_maximum_suppression
from jaxvision.ops.objects import Objects


class Proposals(NamedTuple):
    """Regions of each image, best first, padded to R.

    Attributes:
        boxes: [B, R, 4], xyxy in pixels of the network's input.
        scores: [B, R], in [0, 1].
        valid: False for padding [B, R] bool.
    """

    boxes: jax.Array
    scores: jax.Array
    valid: jax.Array


@dataclasses.dataclass(frozen=True)
class RPNMethod:
    """Which regions may hold an object.

    Attributes:
        strides: Of the network's maps, ascending.
        sizes: Of each map, square roots of the areas of its anchors in pixels.
        ratios: Height over width of the anchors.
        foreground_iou: An anchor matches the object that it overlaps most from this IoU on.
        background_iou: Below it is background, in between it is ignored.
        samples: Anchors of an image in the loss.
        positive_share: Of them those that match an object, at most.
        beta: Where the parabola of the box term ends.
        pre_nms: Anchors of a map that enter suppression, in training and in evaluation.
        post_nms: Proposals of an image, in training and in evaluation.
        nms_threshold: IoU above which the worse of two proposals of a map is dropped.

    Raises:
        ValueError: If a number is out of range.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32, 64)
    sizes: tuple[tuple[float, ...], ...] = ((32.0,), (64.0,), (128.0,), (256.0,), (512.0,))
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    foreground_iou: float = 0.7
    background_iou: float = 0.3
    samples: int = 256
    positive_share: float = 0.5
    beta: float = 1 / 9
    pre_nms: tuple[int, int] = (2000, 1000)
    post_nms: tuple[int, int] = (2000, 1000)
    nms_threshold: float = 0.7

    def __post_init__(self) -> None:
        check_thresholds(self.foreground_iou, self.background_iou)
        ranges.check(self, "(0, inf)", "ratios")
        if not self.ratios:
            raise ValueError("ratios must be at least one number, got none")
        numbers = {len(sizes) for sizes in self.sizes}
        if len(self.sizes) != len(self.strides) or len(numbers) != 1 or numbers == {0}:
            raise ValueError(
                f"sizes must be as many for each of the strides {self.strides}, got {self.sizes}"
            )
        for field in ("pre_nms", "post_nms"):
            value = getattr(self, field)
            if len(value) != 2:
                raise ValueError(
                    f"{field} must be two numbers, for training and evaluation, got {value}"
                )
        ranges.check(self, "[1, inf)", "pre_nms", "post_nms", "samples")
        ranges.check(self, "[0, 1]", "positive_share", "nms_threshold")
        ranges.check(self, "[0, inf)", "beta")

    @property
    def anchors_per_cell(self) -> int:
        """Anchors of one cell: 9 in the paper, 3 in a pyramid."""
        return len(self.sizes[0]) * len(self.ratios)

    def priors(self, height: int, width: int) -> Anchors:
        """Lays out the anchors of an image of this size."""
        return anchor_boxes(height, width, self.strides, self.sizes, self.ratios)

    def assign(self, anchors: Anchors, objects: Objects) -> Assignment:
        """Gives every anchor of a batch its object [B, A]."""
        assign = functools.partial(
            max_iou,
            anchors.boxes,
            foreground_iou=self.foreground_iou,
            background_iou=self.background_iou,
        )
        # One image at a time: the overlaps of all objects and anchors are large.
        return jax.lax.map(assign, objects)

    def loss(
        self, output: ProposalOutput, anchors: Anchors, objects: Objects, *, key: jax.Array
    ) -> DetectionLoss:
        """Compares predictions for a sample of anchors with the objects (equation 1).

        Args:
            output: Raw predictions [B, A].
            anchors: The anchors of the images.
            objects: Objects [B, N] of the images.
            key: Of the sample.

        Returns:
            `proposal_objectness` (cross entropy) and `proposal_box` (smooth absolute error), both
            divided by the number of sampled anchors of the batch.

        Raises:
            ValueError: If the network predicts another number of anchors.
        """
        self._check(output, anchors)
        assignment = self.assign(anchors, objects)
        foreground = assignment.matched >= 0
        choose = functools.partial(balanced_choice, count=self.samples, share=self.positive_share)
        keys = jax.random.split(key, len(foreground))
        index, sampled = jax.vmap(choose)(foreground, ~foreground & ~assignment.ignored, keys)
        count = jnp.maximum(sampled.sum(), 1)

        foreground = jnp.take_along_axis(foreground, index, axis=1)
        logits = jnp.take_along_axis(output.objectness, index, axis=1)
        losses = optax.sigmoid_binary_cross_entropy(logits, foreground.astype(jnp.float32))

        prior = jnp.asarray(anchors.boxes)[index]
        matched = jnp.take_along_axis(jnp.maximum(assignment.matched, 0), index, axis=1)
        boxes = jnp.take_along_axis(objects.boxes, matched[..., None], axis=1)
        # The anchor itself for background: a box without area would have an infinite code.
        boxes = without_slivers(jnp.where(foreground[..., None], boxes, prior))
        offsets = jnp.take_along_axis(output.box_regression, index[..., None], axis=1)
        error = smooth_l1(offsets, box_coding.encode(boxes, prior), beta=self.beta).sum(axis=-1)
        return DetectionLoss(
            terms=dict(
                proposal_objectness=jnp.where(sampled, losses, 0.0).sum() / count,
                proposal_box=jnp.where(sampled & foreground, error, 0.0).sum() / count,
            ),
            logs={},
        )

    def proposals(self, output: ProposalOutput, anchors: Anchors, *, train: bool) -> Proposals:
        """Decodes the best anchors of each map, clipped to the image, without those that overlap.

        No gradient passes through them.
        """
        self._check(output, anchors)
        output = jax.lax.stop_gradient(output)
        pre_nms, post_nms = (x[0 if train else 1] for x in (self.pre_nms, self.post_nms))
        starts = np.cumsum((0, *anchors.counts))
        limits = jnp.asarray([anchors.width, anchors.height] * 2, jnp.float32)[None]

        def of_level(level: slice, logits: jax.Array, offsets: jax.Array) -> Detections:
            most = min(pre_nms, level.stop - level.start)
            logits, index = jax.lax.top_k(logits[level], most)
            prior = jnp.asarray(anchors.boxes[level])[index]
            boxes = box_coding.decode(offsets[level][index], prior)
            boxes = jnp.clip(boxes, 0.0, limits)
            wide = (boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE).all(axis=1)
            # Negative: below every threshold.
            scores = jnp.where(wide, jax.nn.sigmoid(logits), -1.0)
            return non_maximum_suppression(
                Candidates(boxes, scores, jnp.zeros(most, jnp.int32)),
                iou_threshold=self.nms_threshold,
                score_threshold=0.0,
                max_detections=post_nms,
                max_candidates=most,
            )

        def of_image(output: ProposalOutput) -> Proposals:
            # Proposals of different maps do not suppress each other, so that a map's memory is
            # that of the square of its own.
            found = [
                of_level(slice(int(a), int(b)), output.objectness, output.box_regression)
                for a, b in zip(starts[:-1], starts[1:], strict=True)
            ]
            boxes, scores, _, valid = (jnp.concatenate(x) for x in zip(*found, strict=True))
            scores = jnp.where(valid, scores, -1.0)
            scores, best = jax.lax.top_k(scores, min(post_nms, len(scores)))
            return Proposals(boxes[best], jnp.maximum(scores, 0.0), scores >= 0)

        return jax.vmap(of_image)(output)

    def _check(self, output: ProposalOutput, anchors: Anchors) -> None:
        predicted, laid_out = output.objectness.shape[1], len(anchors.boxes)
        if predicted != laid_out:
            raise ValueError(
                f"the network must predict {laid_out} anchors, those of {self.strides} strides and "
                f"{self.anchors_per_cell} a cell, got {predicted}"
            )


# Proposals with a shorter side are dropped, in pixels.
MIN_SIDE = 1e-3
