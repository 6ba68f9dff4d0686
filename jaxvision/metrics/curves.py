"""Curves over all thresholds of a score, the areas below them, and calibration. Plain numpy."""

from typing import NamedTuple

import numpy as np

CALIBRATION_BINS = 15


class Curve(NamedTuple):
    """A curve from threshold to threshold, the strictest first.

    Attributes:
        x: False positive rate or recall [T].
        y: True positive rate or precision [T].
    """

    x: np.ndarray
    y: np.ndarray


class Calibration(NamedTuple):
    """Confidence and accuracy in bins of equal width.

    Attributes:
        count: Predictions in each bin [M].
        confidence: Their mean confidence [M], nan where there are none.
        accuracy: The share of them that is right [M], nan where there are none.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of confidence and accuracy by count."""
        used = self.count > 0
        gap = np.abs(self.accuracy[used] - self.confidence[used])
        return float((gap * self.count[used]).sum() / max(self.count.sum(), 1))


def roc_curve(truth: np.ndarray, scores: np.ndarray) -> Curve:
    """True by false positive rate, from (0, 0) to (1, 1); equal scores are one step.

    Args:
        truth: True where the class is present [n].
        scores: Higher where it is thought to be present [n].
    """
    positives, negatives = _counts(truth, scores)
    if not len(positives) or positives[-1] == 0 or negatives[-1] == 0:
        return Curve(np.full(1, np.nan), np.full(1, np.nan))
    return Curve(
        np.concatenate([[0.0], negatives / negatives[-1]]),
        np.concatenate([[0.0], positives / positives[-1]]),
    )


def roc_auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area below `roc_curve`: how likely a positive outranks a negative, a tie counting half.

    Returns:
        In [0, 1]; nan without positives or without negatives.
    """
    curve = roc_curve(truth, scores)
    return float(np.trapezoid(curve.y, curve.x)) if len(curve.x) > 1 else float("nan")


def precision_recall_curve(truth: np.ndarray, scores: np.ndarray) -> Curve:
    """Precision by recall, recall rising; equal scores are one step; nan without positives.

    Args:
        truth: True where the class is present [n].
        scores: Higher where it is thought to be present [n].
    """
    positives, negatives = _counts(truth, scores)
    if not len(positives) or positives[-1] == 0:
        return Curve(np.full(1, np.nan), np.full(1, np.nan))
    return Curve(positives / positives[-1], positives / (positives + negatives))


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Sum over the thresholds of precision times the rise of recall, without interpolation.

    Returns:
        In [0, 1]; nan without positives.
    """
    recall, precision = precision_recall_curve(truth, scores)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def calibration(
    confidence: np.ndarray, right: np.ndarray, bins: int = CALIBRATION_BINS
) -> Calibration:
    """Compares how sure predictions are with how often they are right.

    Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3: bin m holds the confidences in
    ((m - 1) / M, m / M]; the first one also 0.

    Args:
        confidence: In [0, 1] [n].
        right: Whether each prediction is right, or how likely [n].
        bins: M.
    """
    edges = np.arange(1, bins) / bins
    bin_of = np.searchsorted(edges, np.asarray(confidence, np.float64), side="left")
    count = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Calibration(
            count,
            np.bincount(bin_of, weights=confidence, minlength=bins) / count,
            np.bincount(bin_of, weights=right, minlength=bins) / count,
        )


def _counts(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives at or above each different score, from the highest."""
    order = np.argsort(-scores, kind="stable")
    truth, scores = np.asarray(truth, bool)[order], scores[order]
    last_of_its_score = np.flatnonzero(np.diff(scores, append=-np.inf))
    positives = np.cumsum(truth)[last_of_its_score]
    return positives, last_of_its_score + 1 - positives
