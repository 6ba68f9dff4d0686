"""The method of Fast R-CNN: which regions are trained, their targets, loss and decoding.

Fast R-CNN, Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.3. Equal to torchvision's.
Departs from the paper, as torchvision does: by default the background is all that overlaps objects
by less than half (`background_iou=0.1` is the paper's), and the parabola of the box term ends at
1/9 (`beta=1` is the paper's).
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxvision.assigners.max_iou import check_thresholds, max_iou
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.losses.detection.rpn import Proposals
from jaxvision.losses.smooth_l1 import smooth_l1
from jaxvision.models.detection.fast_rcnn import RegionOutput
from jaxvision.ops import box_coding, ranges
from jaxvision.ops.balanced_choice import balanced_choice
from jaxvision.ops.boxes import without_slivers
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.ops.top_pairs import top_pairs


class Regions(NamedTuple):
    """Regions of each image with what is to be predicted for them, padded to R.

    Attributes:
        boxes: [B, R, 4], xyxy in pixels of the network's input.
        labels: 0 for background, 1 + k for class k [B, R] int32.
        matched: Index of the object of each region [B, R] int32, 0 for background.
        targets: Offsets of the object's box from the region [B, R, 4], 0 for background.
        valid: False for padding [B, R] bool.
    """

    boxes: jax.Array
    labels: jax.Array
    matched: jax.Array
    targets: jax.Array
    valid: jax.Array


@dataclasses.dataclass(frozen=True)
class FastRCNNMethod:
    """Classes and boxes of regions.

    Attributes:
        foreground_iou: A region matches the object that it overlaps most from this IoU on.
        background_iou: Regions that overlap objects by less are not trained on.
        samples: Regions of an image in the loss.
        positive_share: Of them those that match an object, at most.
        weights: Factors of the offsets dx, dy, dw, dh: one over their deviations.
        beta: Where the parabola of the box term ends.
        box_weight: Factor of the box term, the paper's lambda.
        pre_nms: Pairs of a region and a class that enter suppression, of each image, at most.

    Raises:
        ValueError: If a number is out of range.
    """

    foreground_iou: float = 0.5
    background_iou: float = 0.0
    samples: int = 512
    positive_share: float = 0.25
    weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    beta: float = 1 / 9
    box_weight: float = 1.0
    pre_nms: int = 3000

    def __post_init__(self) -> None:
        check_thresholds(self.foreground_iou, self.background_iou)
        ranges.check(self, "[1, inf)", "samples", "pre_nms")
        ranges.check(self, "[0, 1]", "positive_share")
        ranges.check(self, "[0, inf)", "beta", "box_weight")
        ranges.check(self, "(0, inf)", "weights")
        if len(self.weights) != 4:
            raise ValueError(f"weights must be four numbers, got {self.weights}")

    def sample(self, proposals: Proposals, objects: Objects, *, key: jax.Array) -> Regions:
        """Draws regions to train on from proposals [B, P] and the objects themselves [B, N]."""
        keys = jax.random.split(key, len(proposals.boxes))
        return jax.vmap(self._sample)(proposals, objects, keys)

    def _sample(self, proposals: Proposals, objects: Objects, key: jax.Array) -> Regions:
        boxes = jnp.concatenate([proposals.boxes, objects.boxes])
        usable = jnp.concatenate([proposals.valid, objects.valid])
        assignment = max_iou(
            boxes,
            objects,
            foreground_iou=self.foreground_iou,
            background_iou=self.background_iou,
            low_quality=False,
        )
        foreground = assignment.matched >= 0
        # Between the two thresholds; without a lower one images without objects have some, too.
        background = assignment.ignored if self.background_iou else ~foreground
        index, valid = balanced_choice(
            foreground & usable,
            background & usable,
            key,
            count=self.samples,
            share=self.positive_share,
        )
        boxes, foreground = boxes[index], foreground[index] & valid
        matched = jnp.maximum(assignment.matched[index], 0)
        # The region itself for background: a box without area would have an infinite code.
        own = without_slivers(boxes)
        nearest = jnp.where(foreground[:, None], without_slivers(objects.boxes[matched]), own)
        return Regions(
            boxes=boxes,
            labels=jnp.where(foreground, objects.classes[matched] + 1, 0),
            matched=matched,
            targets=box_coding.encode(nearest, own, self.weights),
            valid=valid,
        )

    def loss(self, output: RegionOutput, regions: Regions) -> DetectionLoss:
        """Compares predictions for regions with their targets (equation 1).

        Args:
            output: Raw predictions [B, R].
            regions: What `sample` returns.

        Returns:
            `classification` (cross entropy) and `box` (smooth absolute error of the offsets of the
            region's own class), both divided by the number of regions of the batch; logs:
            `foreground_share` of the regions.
        """
        count = jnp.maximum(regions.valid.sum(), 1)
        foreground = regions.valid & (regions.labels > 0)
        losses = optax.softmax_cross_entropy_with_integer_labels(
            output.class_logits, regions.labels
        )
        offsets = jnp.take_along_axis(
            output.box_regression, regions.labels[..., None, None], axis=2
        ).squeeze(2)
        error = smooth_l1(offsets, regions.targets, beta=self.beta).sum(axis=-1)
        return DetectionLoss(
            terms=dict(
                classification=jnp.where(regions.valid, losses, 0.0).sum() / count,
                box=self.box_weight * jnp.where(foreground, error, 0.0).sum() / count,
            ),
            logs=dict(foreground_share=foreground.sum() / count),
        )

    def decode(
        self, output: RegionOutput, proposals: Proposals, height: int, width: int
    ) -> Candidates:
        """Decodes the best pairs of a region and a class, clipped to the image.

        Args:
            output: Raw predictions [B, R].
            proposals: The regions.
            height: Of the images in pixels.
            width: Of the images in pixels.
        """
        probabilities = jax.nn.softmax(output.class_logits)[..., 1:]
        return self._candidates(probabilities, output, proposals, height, width)

    def _candidates(
        self,
        probabilities: jax.Array,
        output: RegionOutput,
        proposals: Proposals,
        height: int,
        width: int,
    ) -> Candidates:
        # Negative: below every threshold.
        probabilities = jnp.where(proposals.valid[..., None], probabilities, -1.0)
        scores, index, classes = top_pairs(probabilities, self.pre_nms)
        offsets = jnp.take_along_axis(output.box_regression, index[..., None, None], axis=1)
        offsets = jnp.take_along_axis(offsets, (classes + 1)[..., None, None], axis=2).squeeze(2)
        regions = jnp.take_along_axis(proposals.boxes, index[..., None], axis=1)
        boxes = box_coding.decode(offsets, regions, self.weights)
        boxes = jnp.clip(boxes, 0.0, jnp.asarray([width, height] * 2, jnp.float32)[None, None])
        wide = (boxes[..., 2:] - boxes[..., :2] >= MIN_SIDE).all(axis=-1)
        return Candidates(boxes, jnp.where(wide, scores, -1.0), classes)


# Detections with a shorter side are dropped, in pixels.
MIN_SIDE = 1e-2
