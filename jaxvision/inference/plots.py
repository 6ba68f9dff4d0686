"""Pictures of how a classifier does: confusions, ROC and precision by recall, reliability."""

from collections.abc import Sequence

import cv2
import numpy as np

from jaxvision.inference.draw import DARK, MUTED, PALETTE, WHITE, Colour
from jaxvision.inference.lettering import text_width, write, write_upright
from jaxvision.metrics.classification import Classification
from jaxvision.metrics.curves import (
    Calibration,
    Curve,
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from jaxvision.metrics.multi_label import MultiLabel

GRID: Colour = (52, 52, 58)
SIZE = 560  # Side of a plot, in pixels.
MARGIN = 64
# With more classes, curves of the worst few and the mean of all are drawn.
MAX_CURVES = 10
WORST = 5
# Up to so many classes have their names and counts in a confusion matrix.
MAX_NAMES = 25


def classification_figures(metric: Classification | MultiLabel) -> dict[str, np.ndarray]:
    """Draws all that there is to draw of an evaluation.

    Args:
        metric: The measure of all images.

    Returns:
        RGB pictures [H, W, 3] uint8 by name: `roc`, `precision_recall`, `reliability`, and
        `confusion` where each image has one class.
    """
    _, probabilities, truth = metric.joined()
    names = metric.class_names
    if truth.ndim == 1:
        truth = truth[:, None] == np.arange(len(names))[None]
    truth = truth > 0.5
    present = [k for k in range(len(names)) if 0 < truth[:, k].sum() < len(truth)]
    columns = [(truth[:, k], probabilities[:, k]) for k in present]
    shown = [names[k] for k in present]
    figures = {
        "roc": curves(
            [roc_curve(*c) for c in columns],
            [roc_auc(*c) for c in columns],
            shown,
            title="ROC, one class against the rest (area)",
            axes=("false positive rate", "true positive rate"),
        ),
        "precision_recall": curves(
            [precision_recall_curve(*c) for c in columns],
            [average_precision(*c) for c in columns],
            shown,
            title="precision by recall (average precision)",
            axes=("recall", "precision"),
        ),
        "reliability": reliability(metric.calibration()),
    }
    if isinstance(metric, Classification):
        figures["confusion"] = confusion_matrix(metric.confusion(), names)
    return figures


def confusion_matrix(counts: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Draws a confusion matrix; the brighter a cell, the larger its share of the true class.

    Args:
        counts: Images by true class (rows) and predicted class (columns) [K, K].
        class_names: Name of each class.

    Returns:
        RGB [H, W, 3] uint8, with names and counts for up to 25 classes.
    """
    count = len(class_names)
    named = count <= MAX_NAMES
    cell = 48 if named else max(1, 720 // count)
    room = 16 + max((text_width(n, 0.42) for n in class_names), default=0) if named else 24
    side = cell * count
    canvas = np.full((side + room + 76, side + room + 40, 3), DARK, np.uint8)
    top, left = 44, room + 16
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The root lifts the rare confusions, which are what one looks for.
    strength = np.sqrt(shares)[..., None]
    low, high = np.array(GRID, float), np.array(PALETTE[1], float)
    colours = np.rint(low + (high - low) * strength).astype(np.uint8)
    canvas[top : top + side, left : left + side] = np.kron(
        colours, np.ones((cell, cell, 1), np.uint8)
    )
    if named:
        for i, name in enumerate(class_names):
            middle = top + i * cell + cell // 2 + 5
            write(canvas, name, (left - 8 - text_width(name, 0.42), middle), 0.42, WHITE)
            write_upright(
                canvas, name, (left + i * cell + cell // 2 - 10, top + side + 8), 0.42, WHITE
            )
            for j in range(count):
                if counts[i, j]:
                    text = str(int(counts[i, j]))
                    x = left + j * cell + (cell - text_width(text, 0.4)) // 2
                    write(canvas, text, (x, middle), 0.4, WHITE)
    write(canvas, "true class by row, predicted class by column", (left, 26), 0.5, WHITE)
    return canvas


def curves(
    lines: Sequence[Curve],
    areas: Sequence[float],
    names: Sequence[str],
    *,
    title: str,
    axes: tuple[str, str],
) -> np.ndarray:
    """Draws curves in the unit square, each with the area below it.

    Args:
        lines: One for each class.
        areas: Of each one.
        names: Of each one. Of more than ten the five with the smallest areas are drawn, and the
            mean of all at equal x.
        title: Of the plot.
        axes: Names of x and y.

    Returns:
        RGB [H, W, 3] uint8.
    """
    canvas = _axes(title, axes)
    order = np.argsort(areas) if len(lines) > MAX_CURVES else np.arange(len(lines))
    chosen = [int(i) for i in (order[:WORST] if len(lines) > MAX_CURVES else order)]
    entries = []
    for number, i in enumerate(chosen):
        colour = PALETTE[number % len(PALETTE)]
        _line(canvas, lines[i].x, lines[i].y, colour, 1)
        entries.append((f"{names[i]} {areas[i]:.3f}", colour))
    if len(lines) > MAX_CURVES:
        x = np.linspace(0.0, 1.0, 201)
        mean = np.mean([np.interp(x, line.x, line.y) for line in lines], axis=0)
        _line(canvas, x, mean, WHITE, 2)
        entries.insert(0, (f"mean of {len(lines)} classes {np.mean(areas):.3f}", WHITE))
        entries.insert(1, (f"the {WORST} smallest:", MUTED))
    return _with_legend(canvas, entries)


def reliability(found: Calibration) -> np.ndarray:
    """Draws accuracy by confidence: a bar for each bin, with what its confidence has more or less.

    Args:
        found: Bins of equal width.

    Returns:
        RGB [H, W, 3] uint8.
    """
    canvas = _axes(f"reliability, calibration error {found.error:.3f}", ("confidence", "accuracy"))
    bins = len(found.count)
    for m in np.flatnonzero(found.count):
        accuracy, confidence = float(found.accuracy[m]), float(found.confidence[m])
        box = (m / bins + 0.004, (m + 1) / bins - 0.004)
        _bar(canvas, box, (0.0, accuracy), PALETTE[1])
        gap = PALETTE[0] if confidence > accuracy else PALETTE[3]
        _bar(canvas, box, tuple(sorted((accuracy, confidence))), gap)
    _line(canvas, np.array([0.0, 1.0]), np.array([0.0, 1.0]), WHITE, 1)
    share = found.count / max(found.count.sum(), 1)
    _line(canvas, (np.arange(bins) + 0.5) / bins, share, PALETTE[2], 2)
    entries = [
        ("accuracy", PALETTE[1]),
        ("more sure than right", PALETTE[0]),
        ("more right than sure", PALETTE[3]),
        ("share of predictions", PALETTE[2]),
    ]
    return _with_legend(canvas, entries)


def _axes(title: str, names: tuple[str, str]) -> np.ndarray:
    side = SIZE + 2 * MARGIN
    canvas = np.full((side, side, 3), DARK, np.uint8)
    for tick in np.linspace(0.0, 1.0, 6):
        for one, two in (((tick, 0), (tick, 1)), ((0, tick), (1, tick))):
            cv2.line(canvas, _pixel(*one), _pixel(*two), GRID, 1)
        x, y = _pixel(tick, 0)
        write(canvas, f"{tick:.1f}", (x - 10, y + 20), 0.4, MUTED)
        x, y = _pixel(0, tick)
        write(canvas, f"{tick:.1f}", (x - 32, y + 4), 0.4, MUTED)
    write(canvas, title, (MARGIN, 36), 0.6, WHITE)
    write(canvas, names[0], (side // 2 - text_width(names[0], 0.5) // 2, side - 20), 0.5, MUTED)
    top = side // 2 - text_width(names[1], 0.5) // 2
    write_upright(canvas, names[1], (7, top), 0.5, MUTED, up=True)
    return canvas


def _pixel(x: float, y: float) -> tuple[int, int]:
    return round(MARGIN + x * SIZE), round(MARGIN + (1.0 - y) * SIZE)


def _line(canvas: np.ndarray, x: np.ndarray, y: np.ndarray, colour: Colour, width: int) -> None:
    # In 1/16 pixels, and no more points than a plot can show.
    points = np.stack([MARGIN + x * SIZE, MARGIN + (1.0 - y) * SIZE], axis=1)
    points = np.rint(points * 16).astype(np.int32)
    if len(points) > 4000:
        points = points[np.unique(np.linspace(0, len(points) - 1, 4000).astype(int))]
    cv2.polylines(canvas, [points], False, colour, width, cv2.LINE_AA, 4)


def _bar(canvas: np.ndarray, x: tuple[float, float], y: tuple[float, ...], colour: Colour) -> None:
    left, top = _pixel(x[0], y[1])
    right, bottom = _pixel(x[1], y[0])
    if bottom > top:
        canvas[top:bottom, left:right] = colour


def _with_legend(canvas: np.ndarray, entries: Sequence[tuple[str, Colour]]) -> np.ndarray:
    width = 48 + max((text_width(text, 0.45) for text, _ in entries), default=0)
    legend = np.full((len(canvas), width, 3), DARK, np.uint8)
    for i, (text, colour) in enumerate(entries):
        y = MARGIN + 16 + 24 * i
        cv2.line(legend, (4, y - 5), (26, y - 5), colour, 3, cv2.LINE_AA)
        write(legend, text, (34, y), 0.45, WHITE)
    return np.concatenate([canvas, legend], axis=1)
