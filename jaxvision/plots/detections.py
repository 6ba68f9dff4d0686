"""Boxes with labels on images, and a sheet of an evaluation batch."""

import math
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from jaxvision.data.batch import DetectionBatch
from jaxvision.data.boxes import iou
from jaxvision.ops.nms import Detections
from jaxvision.ops.region_masks import paste_masks
from jaxvision.plots.instance_masks import blend_masks
from jaxvision.plots.lettering import text_height, text_width, write
from jaxvision.plots.report import Evaluated, Report
from jaxvision.plots.sheet import captioned, contact_sheet
from jaxvision.plots.style import DARK, PALETTE, WHITE, Colour

# x1, y1, x2, y2 of a label that has been drawn.
Rectangle = tuple[int, int, int, int]

FIXED_POINT_BITS = 4
MISSED_BELOW_IOU = 0.5
# Pixels of the letters in the legend.
_LETTERS = 14


def draw_detections(
    image: np.ndarray,
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray | None,
    class_names: Sequence[str],
    *,
    masks: np.ndarray | None = None,
    min_size: int = 480,
) -> np.ndarray:
    """Draws boxes in their class's colour, each with a label that stays inside the picture.

    Args:
        image: RGB [H, W, 3] uint8; it is not changed.
        boxes: xyxy in pixels of `image` [K, 4].
        classes: Class of each box [K], in [0, len(class_names)).
        scores: Confidence [K] in [0, 1], shown in the label; None for ground truth.
        class_names: Name of each class.
        masks: Pixels of each object [K, H, W] bool, which are coloured; None for none.
        min_size: An image whose longer side is shorter, in pixels, is enlarged by a whole number
            first, since no label is legible on a small one.

    Returns:
        RGB [H', W', 3] uint8, of the image's size or a multiple of it.
    """
    factor = max(1, math.ceil(min_size / max(image.shape[:2])))
    canvas = _resize(image, factor)
    boxes = np.asarray(boxes) * factor
    if masks is not None:
        blend_masks(canvas, masks.repeat(factor, axis=1).repeat(factor, axis=2), classes)
    _draw_boxes(canvas, boxes, classes, scores)
    _draw_labels(canvas, boxes, classes, scores, class_names, [])
    return canvas


def detection_report(evaluation: Evaluated, class_names: Sequence[str]) -> Report:
    """Shows the first batch of an evaluation as the picture `predictions`.

    Args:
        evaluation: Of a detector.
        class_names: Name of each class.
    """
    batch = cast(DetectionBatch, evaluation.batch)
    return Report(
        pictures={"predictions": detection_sheet(evaluation.predictions, batch, class_names)}
    )


def detection_sheet(
    predictions: Detections,
    batch: DetectionBatch,
    class_names: Sequence[str],
    *,
    threshold: float = 0.3,
    limit: int = 16,
    columns: int = 4,
    cell_size: int = 480,
) -> np.ndarray:
    """Shows an evaluation batch, predictions over ground truth.

    Ground truth is dashed and white; predictions are solid and in the colour of their class, with
    their scores. An object that no prediction of its class overlaps by an IoU of 0.5 is labelled
    as missed.

    Args:
        predictions: Boxes [B, K, 4] in pixels of the network's input, scores, classes and valid
            [B, K].
        batch: The evaluation batch.
        class_names: Name of each class.
        threshold: Predictions with a lower score are not shown.
        limit: Images shown at most: the first whose `mask` is True.
        columns: Images in a row.
        cell_size: Longer side of each image in the sheet, pixels.

    Returns:
        RGB [H, W, 3] uint8.

    Raises:
        ValueError: If no image's `mask` is True.
    """
    boxes, scores, classes, valid = (np.asarray(array) for array in predictions[:4])
    masks = getattr(predictions, "masks", None)
    mask = np.asarray(batch.get("mask", np.ones(len(boxes), bool)))
    shown = np.flatnonzero(mask)[:limit]
    if not shown.size:
        raise ValueError("batch must have an image whose mask is True, got none")
    cells = []
    for i in shown:
        image = batch["image"][i]
        factor = cell_size / max(image.shape[:2])
        canvas = _resize(image, factor)
        kept = valid[i].astype(bool) & (scores[i] >= threshold)
        found, kinds = boxes[i][kept], classes[i][kept]
        real = np.asarray(batch["valid"][i], bool)
        objects, object_kinds = batch["boxes"][i][real], batch["classes"][i][real]
        crowd = np.asarray(batch["crowd"][i][real]) if "crowd" in batch else np.zeros(len(objects))
        same = object_kinds[:, None] == kinds[None, :]
        hit = (same & (iou(objects[:, None], found[None]) >= MISSED_BELOW_IOU)).any(axis=1)
        missed = ~hit & ~crowd.astype(bool)
        if masks is not None:
            pasted = paste_masks(np.asarray(masks[i])[kept], found * factor, canvas.shape[:2])
            blend_masks(canvas, pasted >= 0.5, kinds)
        _draw_boxes(canvas, found * factor, kinds, scores[i][kept])
        for box in objects:
            _draw_dashed(canvas, box * factor, stroke=max(1, _stroke(canvas) // 2))
        labels: list[Rectangle] = []
        _draw_labels(canvas, found * factor, kinds, scores[i][kept], class_names, labels)
        for box, kind in zip(objects[missed], object_kinds[missed], strict=True):
            _draw_label(canvas, f"missed {class_names[kind]}", box * factor, WHITE, labels)
        text = f"objects {len(objects)}, missed {missed.sum()}, predictions {len(found)}"
        cells.append(captioned(canvas, f"#{int(batch['index'][i])}", text))
    sheet = contact_sheet(cells, min(columns, len(cells)))
    return np.concatenate([_legend(sheet.shape[1], threshold), sheet])


def _resize(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    if (height, width) == image.shape[:2]:
        return np.array(image, order="C")
    method = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=method)


def _draw_boxes(
    canvas: np.ndarray, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray | None
) -> None:
    for i in reversed(_best_first(boxes, scores)):
        _draw_box(canvas, boxes[i], PALETTE[int(classes[i]) % len(PALETTE)])


def _draw_labels(
    canvas: np.ndarray,
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray | None,
    class_names: Sequence[str],
    labels: list[Rectangle],
) -> None:
    for i in _best_first(boxes, scores):
        text = class_names[int(classes[i])]
        text = text if scores is None else f"{text} {scores[i]:.2f}"
        _draw_label(canvas, text, boxes[i], PALETTE[int(classes[i]) % len(PALETTE)], labels)


def _best_first(boxes: np.ndarray, scores: np.ndarray | None) -> list[int]:
    order = np.arange(len(boxes)) if scores is None else np.argsort(-np.asarray(scores))
    return [int(i) for i in order if np.isfinite(boxes[i]).all()]


def _stroke(canvas: np.ndarray) -> int:
    return max(2, round(max(canvas.shape[:2]) / 240))


def _clip(canvas: np.ndarray, box: np.ndarray, margin: float = 0.0) -> np.ndarray:
    height, width = canvas.shape[:2]
    low = np.array([margin, margin])
    high = np.array([width - 1 - margin, height - 1 - margin])
    return np.concatenate([np.clip(box[:2], low, high), np.clip(box[2:], low, high)])


def _fixed(*point: float) -> tuple[int, ...]:
    return tuple(round(float(value) * 2**FIXED_POINT_BITS) for value in point)


def _draw_box(
    canvas: np.ndarray, box: np.ndarray, colour: Colour, stroke: int | None = None
) -> None:
    stroke = stroke or _stroke(canvas)
    x1, y1, x2, y2 = _clip(canvas, box, stroke / 2)
    # A dark edge keeps the line visible on a background of its own colour.
    for thickness, paint in ((stroke + 2, DARK), (stroke, colour)):
        cv2.rectangle(
            canvas,
            _fixed(x1, y1),
            _fixed(x2, y2),
            paint,
            thickness,
            cv2.LINE_AA,
            FIXED_POINT_BITS,
        )


def _draw_dashed(canvas: np.ndarray, box: np.ndarray, *, stroke: int) -> None:
    dash = 5.0 * stroke + 3
    x1, y1, x2, y2 = _clip(canvas, box, stroke / 2)
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]])
    for thickness, paint in ((stroke + 2, DARK), (stroke, WHITE)):
        for start, end in zip(corners[:-1], corners[1:], strict=True):
            # An odd number of equal pieces begins and ends every side with a dash.
            pieces = 2 * int(np.abs(end - start).sum() / dash / 2) + 1
            for piece in range(0, pieces, 2):
                a = start + (end - start) * piece / pieces
                b = start + (end - start) * (piece + 1) / pieces
                cv2.line(
                    canvas, _fixed(*a), _fixed(*b), paint, thickness, cv2.LINE_AA, FIXED_POINT_BITS
                )


def _draw_label(
    canvas: np.ndarray, text: str, box: np.ndarray, fill: Colour, labels: list[Rectangle]
) -> None:
    """Draws a filled label beside a box, where it covers least of the labels before it."""
    height, width = canvas.shape[:2]
    size = max(12, round(max(height, width) / 55))
    pad = max(3, size // 4)
    text = _shorten(text, size, width - 2 * pad)
    ascent, descent = text_height(size)
    w, h = text_width(text, size) + 2 * pad, ascent + descent + 2
    x1, y1, x2, y2 = np.round(_clip(canvas, box)).astype(int).tolist()
    places = [(x1, y1 - h), (x1, y2), (x2 - w, y1 - h), (x2 - w, y2), (x1, y1), (x1, y2 - h)]
    places = [(min(max(x, 0), width - w), min(max(y, 0), height - h)) for x, y in places]
    x, y = min(places, key=lambda p: sum(_shared((*p, p[0] + w, p[1] + h), r) for r in labels))
    labels.append((x, y, x + w, y + h))
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), fill, cv2.FILLED)
    luminance = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2]
    write(canvas, text, (x + pad, y + 1 + ascent), size, DARK if luminance > 140 else WHITE)


def _shorten(text: str, size: int, width: int) -> str:
    short = text
    while len(short) > 1 and text_width(short, size) > width:
        text = text[:-1]
        short = text + "…"
    return short


def _shared(a: Rectangle, b: Rectangle) -> int:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def _legend(width: int, threshold: float) -> np.ndarray:
    bar = np.full((44, width, 3), DARK, np.uint8)
    left = 12
    for text in ("ground truth", f"prediction, score {threshold:.2f} or more"):
        box = np.array([left, 14.0, left + 34, 32.0])
        if text == "ground truth":
            _draw_dashed(bar, box, stroke=1)
        else:
            _draw_box(bar, box, PALETTE[0], stroke=2)
        write(bar, text, (left + 44, 28), _LETTERS, WHITE)
        left += 44 + text_width(text, _LETTERS) + 36
    return bar
