"""The method of RetinaNet: anchors, overlap-based targets, focal loss.

Focal Loss for Dense Object Detection, Lin et al. 2017, https://arxiv.org/abs/1708.02002, sections
3 and 4. Equal to torchvision's `retinanet_resnet50_fpn`.
Departs from the paper, as torchvision does: the box term is the absolute error, not the smoothed
one; anchors that overlap an object most match it at any IoU; each image's loss is divided by its
own number of matched anchors, and the mean over the images is taken; sizes of anchors are truncated
to whole pixels.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.assigners.assignment import Assignment
from jaxvision.assigners.max_iou import check_thresholds, max_iou
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.losses.focal import sigmoid_focal_loss
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.ops import box_coding, ranges
from jaxvision.ops.anchors import Anchors, anchor_boxes
from jaxvision.ops.boxes import clip_to_image
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.ops.top_pairs import top_pairs


@dataclasses.dataclass(frozen=True)
class RetinaNetMethod:
    """Focal loss over anchors (section 4 and figure 3).

    Attributes:
        strides: Of the network's maps, ascending.
        anchor_scale: Side of a level's smallest square anchor, in strides.
        scales_per_octave: Sizes of anchors a level, 2^(1 / scales_per_octave) apart.
        ratios: Height over width of the anchors.
        foreground_iou: An anchor matches the object that it overlaps most from this IoU on.
        background_iou: Below it is background, in between it is ignored.
        low_quality: Whether the anchors that overlap an object most match at any IoU.
        alpha: Weight of a matched anchor's own class in the focal loss; 1 - alpha that of the rest.
        gamma: Exponent of the focal loss: 0 is the cross entropy.
        box_weight: Factor of the box term.
        pre_nms: Pairs of an anchor and a class that enter suppression, of each level, at most.

    Raises:
        ValueError: If a number is out of range.
    """

    strides: tuple[int, ...] = (8, 16, 32, 64, 128)
    anchor_scale: float = 4.0
    scales_per_octave: int = 3
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    foreground_iou: float = 0.5
    background_iou: float = 0.4
    low_quality: bool = True
    alpha: float = 0.25
    gamma: float = 2.0
    box_weight: float = 1.0
    pre_nms: int = 1000

    def __post_init__(self) -> None:
        check_thresholds(self.foreground_iou, self.background_iou)
        ranges.check(self, "(0, inf)", "ratios")
        if not self.ratios:
            raise ValueError("ratios must be at least one number, got none")
        ranges.check(self, "(0, inf)", "anchor_scale")
        ranges.check(self, "[1, inf)", "pre_nms")
        ranges.check(self, "[1, 64]", "scales_per_octave")
        ranges.check(self, "[0, 1]", "alpha")
        ranges.check(self, "[0, inf)", "gamma", "box_weight")

    @property
    def anchors_per_cell(self) -> int:
        """Anchors of one cell: 9 in the paper."""
        return self.scales_per_octave * len(self.ratios)

    def priors(self, height: int, width: int) -> Anchors:
        """Lays out the anchors of an image of this size."""
        octave = [2 ** (i / self.scales_per_octave) for i in range(self.scales_per_octave)]
        sizes = [[int(self.anchor_scale * s * scale) for scale in octave] for s in self.strides]
        return anchor_boxes(height, width, self.strides, sizes, self.ratios)

    def loss(
        self,
        output: DetectorOutput,
        anchors: Anchors,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Compares predictions with the objects that overlap the anchors.

        Args:
            output: Raw predictions [B, A].
            anchors: The anchors of the images.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `classification` (focal loss over all anchors but the ignored) and `box` (absolute error
            of the coded box of matched anchors); logs: `matches_per_object`.

        Raises:
            ValueError: If the network predicts another number of anchors.
        """
        del step, key
        self._check(output, anchors)
        assignment = self.assign(anchors, objects)
        foreground = assignment.matched >= 0
        count = jnp.maximum(foreground.sum(axis=1), 1).astype(jnp.float32)
        matched = jnp.maximum(assignment.matched, 0)

        classes = jnp.take_along_axis(objects.classes, matched, axis=1)
        # -1 is no class: background has no positive target.
        classes = jnp.where(foreground, classes, -1)
        num_classes = output.class_logits.shape[-1]
        targets = classes[..., None] == jnp.arange(num_classes)[None, None]
        focal = sigmoid_focal_loss(
            output.class_logits, targets, alpha=self.alpha, gamma=self.gamma
        ).sum(axis=-1)
        focal = jnp.where(assignment.ignored, 0.0, focal).sum(axis=1)

        prior = jnp.asarray(anchors.boxes)[None]
        boxes = jnp.take_along_axis(objects.boxes, matched[..., None], axis=1)
        # The anchor itself for background: a box without area would have an infinite code.
        code = box_coding.encode(jnp.where(foreground[..., None], boxes, prior), prior)
        error = jnp.abs(output.box_regression - code).sum(axis=-1)
        error = jnp.where(foreground, error, 0.0).sum(axis=1)
        return DetectionLoss(
            terms=dict(
                classification=(focal / count).mean(), box=self.box_weight * (error / count).mean()
            ),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def assign(self, anchors: Anchors, objects: Objects) -> Assignment:
        """Gives every anchor of a batch its object [B, A]."""
        assign = functools.partial(
            max_iou,
            foreground_iou=self.foreground_iou,
            background_iou=self.background_iou,
            low_quality=self.low_quality,
        )
        return jax.vmap(assign, in_axes=(None, 0))(anchors.boxes, objects)

    def decode(self, output: DetectorOutput, anchors: Anchors) -> Candidates:
        """Decodes the best pairs of an anchor and a class of each level, clipped to the image."""
        self._check(output, anchors)
        starts = np.cumsum((0, *anchors.counts))
        levels = [
            self._best_of_level(output, anchors, slice(int(start), int(stop)))
            for start, stop in zip(starts[:-1], starts[1:], strict=True)
        ]
        return Candidates(*(jnp.concatenate(x, axis=1) for x in zip(*levels, strict=True)))

    def _best_of_level(self, output: DetectorOutput, anchors: Anchors, level: slice) -> Candidates:
        logits, index, classes = top_pairs(output.class_logits[:, level], self.pre_nms)
        offsets = jnp.take_along_axis(output.box_regression[:, level], index[..., None], axis=1)
        boxes = box_coding.decode(offsets, jnp.asarray(anchors.boxes[level])[index])
        return Candidates(
            boxes=clip_to_image(boxes, anchors.height, anchors.width),
            scores=jax.nn.sigmoid(logits),
            classes=classes,
        )

    def _check(self, output: DetectorOutput, anchors: Anchors) -> None:
        predicted, laid_out = output.box_regression.shape[1], len(anchors.boxes)
        if predicted != laid_out:
            raise ValueError(
                f"the network must predict {laid_out} anchors, those of {self.strides} strides and "
                f"{self.anchors_per_cell} a cell, got {predicted}"
            )
