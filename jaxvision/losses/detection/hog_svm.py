"""The method of HOG with linear support vector machines: hinge loss, hard negatives.

Histograms of Oriented Gradients for Human Detection, Dalal and Triggs 2005, section 4: a linear
SVM, trained again with the false alarms of the one before. Here each step takes the hardest
windows of its images, and the weight decay of the optimizer is the SVM's regularisation.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.assigners.max_iou import check_thresholds, max_iou
from jaxvision.losses.detection.hard_negatives import hardest
from jaxvision.losses.detection.method import DetectionLoss
from jaxvision.models.detection.hog_svm import WindowScores, window_boxes
from jaxvision.ops import ranges
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.ops.top_pairs import top_pairs


class Windows(NamedTuple):
    """The windows of an image.

    Attributes:
        boxes: xyxy in pixels [A, 4] float32.
    """

    boxes: np.ndarray


@dataclasses.dataclass(frozen=True)
class HOGSVMMethod:
    """One linear SVM for each class against all other windows.

    Attributes:
        cell: Of the network, as the next two.
        window: Cells along a side.
        scales: Levels of the pyramid.
        foreground_iou: A window shows an object from this IoU on.
        background_iou: It shows none below; in between it is ignored.
        negatives: Windows of the background in the loss, for each that shows an object.
        pre_nms: Detections of an image that enter suppression.

    Raises:
        ValueError: If a number is out of its range.
    """

    cell: int = 8
    window: int = 8
    scales: tuple[float, ...] = (1.0,)
    foreground_iou: float = 0.6
    background_iou: float = 0.4
    negatives: float = 10.0
    pre_nms: int = 1000

    def __post_init__(self) -> None:
        check_thresholds(self.foreground_iou, self.background_iou)
        ranges.check(self, "[1, 1000]", "cell", "negatives")
        ranges.check(self, "[2, 1000]", "window")
        ranges.check(self, "(0, 8]", "scales")
        ranges.check(self, "[1, 100_000]", "pre_nms")

    def priors(self, height: int, width: int) -> Windows:
        """Places the windows of an image of this size."""
        return Windows(window_boxes(height, width, self.cell, self.window, self.scales))

    def loss(
        self,
        output: WindowScores,
        windows: Windows,
        objects: Objects,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> DetectionLoss:
        """Computes the hinge loss of the windows that show objects and of the hardest others.

        Args:
            output: Scores [B, A] of K classes.
            windows: The windows of the images.
            objects: Objects [B, N] of the images.
            step: Not used: the loss does not change with time.
            key: Not used: nothing is sampled.

        Returns:
            `classification`, the sum over the batch by the number of windows that show objects;
            logs: `matches_per_object`.
        """
        del step, key
        options = dict(foreground_iou=self.foreground_iou, background_iou=self.background_iou)
        assign = functools.partial(max_iou, **options)
        assignment = jax.vmap(assign, in_axes=(None, 0))(windows.boxes, objects)
        foreground = assignment.matched >= 0
        scores = output.class_logits
        classes = jnp.take_along_axis(objects.classes, jnp.maximum(assignment.matched, 0), axis=1)
        own = jax.nn.one_hot(classes, scores.shape[-1]) * foreground[..., None]
        losses = jax.nn.relu(1 - (2 * own - 1) * scores).sum(axis=-1)

        # An image without objects has as many as one with a window of an object.
        wanted = self.negatives * jnp.maximum(foreground.sum(axis=1, keepdims=True), 1)
        used = foreground | hardest(losses, ~foreground & ~assignment.ignored, wanted)
        count = jnp.maximum(foreground.sum(), 1)
        return DetectionLoss(
            terms=dict(classification=jnp.where(used, losses, 0.0).sum() / count),
            logs=dict(matches_per_object=foreground.sum() / jnp.maximum(objects.valid.sum(), 1)),
        )

    def decode(self, output: WindowScores, windows: Windows) -> Candidates:
        """Takes the best pairs of a window and a class; scores are logistic in the distance."""
        scores, index, classes = top_pairs(jax.nn.sigmoid(2 * output.class_logits), self.pre_nms)
        return Candidates(jnp.asarray(windows.boxes)[index], scores, classes)
