"""The method of R-CNN: a support vector machine and a box regression of each class.

R-CNN, Girshick et al. 2013, https://arxiv.org/abs/1311.2524, section 2.3 and appendices B and C.
The network is trained as Fast R-CNN's classes are; the machines are fitted afterwards.
Departs from the paper: the negatives are a random sample and, after one pass over the images, the
hard ones among all, at most `max_negatives` of a class; boxes of the background are not clustered.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.rpn import Proposals
from jaxvision.models.detection.fast_rcnn import RegionOutput
from jaxvision.ops import box_coding, ranges
from jaxvision.ops.nms import Candidates

NORM = 20.0


class Described(NamedTuple):
    """The regions of one image and what a network sees of them.

    Attributes:
        features: [R, D].
        boxes: [R, 4], xyxy in pixels; the objects themselves are among them.
        overlaps: IoU with the nearest object of each class [R, K].
        nearest: Box of that object [R, K, 4].
    """

    features: np.ndarray
    boxes: np.ndarray
    overlaps: np.ndarray
    nearest: np.ndarray


class Machines(NamedTuple):
    """What is fitted; the names of the collection `fitted`."""

    svm_kernel: np.ndarray
    svm_bias: np.ndarray
    box_kernel: np.ndarray
    box_bias: np.ndarray


@dataclasses.dataclass(frozen=True)
class RCNNMethod(FastRCNNMethod):
    """Softmax in training, linear machines afterwards.

    Attributes:
        svm_background_iou: Regions that overlap objects of a class by less are its negatives; its
            positives are the objects alone (appendix B).
        svm_c: Inverse strength of the regularisation of the machines.
        box_iou: Regions that overlap an object by more teach the regression of its class.
        box_ridge: Strength of the regularisation of the regression (appendix C).
        max_negatives: Negatives of a class that are held at a time.
    """

    svm_background_iou: float = 0.3
    svm_c: float = 1e-3
    box_iou: float = 0.6
    box_ridge: float = 1000.0
    max_negatives: int = 50_000

    def __post_init__(self) -> None:
        super().__post_init__()
        ranges.check(self, "[0, 1]", "svm_background_iou", "box_iou")
        ranges.check(self, "(0, inf)", "svm_c", "box_ridge", "max_negatives")

    def decode(
        self, output: RegionOutput, proposals: Proposals, height: int, width: int
    ) -> Candidates:
        """Decodes the best pairs of a region and a class; a score is the sigmoid of a logit."""
        return self._candidates(
            jax.nn.sigmoid(output.class_logits)[..., 1:], output, proposals, height, width
        )

    def fit(self, images: Callable[[], Iterable[Described]], *, seed: int) -> Machines:
        """Fits the machines to the regions of images.

        Args:
            images: Returns the images from the first on, each time it is called; twice.
            seed: Of the first negatives and of the solver.

        Returns:
            The machines; a class without objects scores below every threshold.
        """
        positives, negatives, codes = self._first(images(), seed)
        lengths = [np.linalg.norm(x) for x in (*sum(positives, []), *sum(negatives, []))]
        # The strengths of the regularisation are for features of this length, on average.
        scale = NORM / max(float(np.mean(lengths)), 1e-6) if lengths else 1.0
        machines = self._fit_svms(positives, negatives, scale, seed)
        for image in images():
            scores = image.features @ machines[0] + machines[1][None]
            for k in range(len(positives)):
                # Beyond the margin a negative changes nothing (Felzenszwalb et al. 2010).
                hard = (image.overlaps[:, k] < self.svm_background_iou) & (scores[:, k] > -1)
                room = self.max_negatives - len(negatives[k])
                negatives[k] += list(image.features[hard][: max(room, 0)])
        kernel, bias = self._fit_svms(positives, negatives, scale, seed)
        return Machines(kernel, bias, *self._fit_boxes(codes, scale, kernel.shape))

    def _first(
        self, images: Iterable[Described], seed: int
    ) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]], list[list[np.ndarray]]]:
        """Collects positives, some negatives, and features with the codes of boxes, by class."""
        rng = np.random.default_rng(seed)
        positives: list[list[np.ndarray]] = []
        negatives: list[list[np.ndarray]] = []
        codes: list[list[np.ndarray]] = []
        for image in images:
            for k in range(image.overlaps.shape[1]):
                if k == len(positives):
                    positives, negatives, codes = positives + [[]], negatives + [[]], codes + [[]]
                overlaps = image.overlaps[:, k]
                positives[k] += list(image.features[overlaps > 1 - 1e-5])
                background = np.flatnonzero(overlaps < self.svm_background_iou)
                few = rng.permutation(background)[:4]
                if len(negatives[k]) < self.max_negatives // 2:
                    negatives[k] += list(image.features[few])
                near = overlaps > self.box_iou
                if near.any() and len(codes[k]) < self.max_negatives:
                    code = box_coding.encode(jnp.asarray(image.nearest[near, k]), image.boxes[near])
                    joined = np.concatenate([image.features[near], np.asarray(code)], axis=1)
                    codes[k] += list(joined)
        return positives, negatives, codes

    def _fit_svms(
        self,
        positives: list[list[np.ndarray]],
        negatives: list[list[np.ndarray]],
        scale: float,
        seed: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        size = len(next(x[0] for x in (*positives, *negatives) if x))
        kernel = np.zeros((size, len(positives)), np.float32)
        bias = np.full(len(positives), -1e3, np.float32)
        for k, (good, bad) in enumerate(zip(positives, negatives, strict=True)):
            if not good or not bad:
                continue
            machine = LinearSVC(C=self.svm_c, dual="auto", intercept_scaling=10, random_state=seed)
            labels = np.r_[np.ones(len(good)), np.zeros(len(bad))]
            machine.fit(np.stack(good + bad) * scale, labels)
            kernel[:, k], bias[k] = (
                np.asarray(machine.coef_)[0] * scale,
                np.ravel(machine.intercept_)[0],
            )
        return kernel, bias

    def _fit_boxes(
        self, codes: list[list[np.ndarray]], scale: float, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        kernel = np.zeros((*shape, 4), np.float32)
        bias = np.zeros((shape[1], 4), np.float32)
        weights = np.asarray(self.weights, np.float32)
        for k, rows in enumerate(codes):
            if not rows:
                continue
            joined = np.stack(rows)
            fit = Ridge(alpha=self.box_ridge)
            fit.fit(joined[:, :-4] * scale, joined[:, -4:] * weights[None])
            kernel[:, k], bias[k] = fit.coef_.T * scale, fit.intercept_
        return kernel, bias
