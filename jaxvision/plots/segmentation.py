"""Label maps in the colours of their classes, over pictures and beside them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from jaxvision.data.sample import VOID
from jaxvision.metrics.segmentation import Segmentation, class_values
from jaxvision.plots.confusion import confusion_matrix
from jaxvision.plots.lettering import text_width, write
from jaxvision.plots.report import Evaluated, Report
from jaxvision.plots.sheet import captioned, contact_sheet
from jaxvision.plots.style import DARK, PALETTE, WHITE, to_rgb

# Names of a first class that is not painted over a picture.
BACKGROUND = ("background", "_background_")
# Share of the class's colour in an overlay.
_OPACITY = 0.55
# Pixels of the letters in the legend and of a row of it.
_LETTERS, _ROW = 14, 28
# Classes that are listed, worst first.
_LISTED = 8


def class_colours(class_names: Sequence[str]) -> np.ndarray:
    """Returns RGB of each number of a label map [256, 3] uint8: black for background and void."""
    colours = np.zeros((256, 3), np.uint8)
    background = bool(class_names) and class_names[0].lower() in BACKGROUND
    for number in range(background, min(len(class_names), VOID)):
        place = number - background
        turn = place // len(PALETTE)
        # Behind the palette's end, its colours again, darker each time.
        shade = 1 / (1 + 0.45 * turn)
        colours[number] = np.rint(np.array(PALETTE[place % len(PALETTE)]) * shade)
    return colours


def overlay(image: np.ndarray, label_map: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Paints classes over a picture, with a line where two of them meet.

    Background and void are left as they are.

    Args:
        image: RGB [H, W, 3] uint8.
        label_map: Class of each pixel [H, W] int, `VOID` for none.
        class_names: Name of each class.

    Returns:
        RGB [H, W, 3] uint8.
    """
    colours = class_colours(class_names)[label_map]
    painted = cv2.addWeighted(image, 1 - _OPACITY, colours, _OPACITY, 0)
    shown = (label_map != VOID) & (colours.any(axis=-1))
    result = np.where(shown[..., None], painted, image)
    edges = _edges(label_map) & shown
    result[edges] = colours[edges]
    return result


def legend(class_names: Sequence[str], numbers: Sequence[int], width: int) -> np.ndarray:
    """Draws the colours and names of classes in rows [H, width, 3] uint8."""
    colours = class_colours(class_names)
    places: list[tuple[int, int, int]] = []
    left, row = 10, 0
    for number in numbers:
        need = 34 + text_width(class_names[number], _LETTERS)
        if left + need > width and left > 10:
            left, row = 10, row + 1
        places.append((number, left, row))
        left += need + 12
    strip = np.full(((row + 1) * _ROW, width, 3), DARK, np.uint8)
    for number, left, row in places:
        top = row * _ROW
        cv2.rectangle(strip, (left, top + 7), (left + 18, top + 21), WHITE, 1)
        strip[top + 8 : top + 21, left + 1 : left + 18] = colours[number]
        write(strip, class_names[number], (left + 26, top + 19), _LETTERS, WHITE)
    return strip


def segmentation_sheet(
    images: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    captions: Sequence[str],
    *,
    cell_size: int = 320,
) -> np.ndarray:
    """Shows pictures, each with the true and with the predicted classes, and a legend.

    Args:
        images: RGB [B, H, W, 3] uint8.
        truth: Label maps [B, H, W] int.
        predicted: The same.
        class_names: Name of each class.
        captions: A line for each picture.
        cell_size: Longer side of each picture in the sheet, pixels.

    Returns:
        RGB [H', W', 3] uint8.
    """
    cells = []
    for image, true, found, caption in zip(images, truth, predicted, captions, strict=True):
        factor = cell_size / max(image.shape[:2])
        size = round(image.shape[1] * factor), round(image.shape[0] * factor)
        method = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
        picture = cv2.resize(np.ascontiguousarray(image), size, interpolation=method)
        parts = [
            overlay(picture, _resized(found, size), class_names),
            overlay(picture, _resized(true, size), class_names),
        ]
        labels = [("predicted", caption), ("true", "")]
        row = [captioned(p, *text) for p, text in zip(parts, labels, strict=True)]
        gap = np.full((row[0].shape[0], 4, 3), DARK, np.uint8)
        cells.append(np.concatenate([row[0], gap, row[1]], axis=1))
    sheet = contact_sheet(cells, min(2, len(cells)))
    return np.concatenate([legend(class_names, range(len(class_names)), sheet.shape[1]), sheet])


def segmentation_report(evaluation: Evaluated) -> Report:
    """Lists the classes with the lowest IoU; shows the first batch and the confusion matrix.

    Args:
        evaluation: Of a segmentation network.
    """
    metric: Segmentation = evaluation.metric
    batch, names = evaluation.batch, metric.class_names
    predicted = classes_of(evaluation.predictions)
    shown = np.flatnonzero(np.asarray(batch["mask"]))[:8]
    pictures = {}
    if shown.size and predicted.shape == batch["label_map"].shape:
        captions = [f"#{int(batch['index'][i])}" for i in shown]
        pictures["predictions"] = segmentation_sheet(
            batch["image"][shown], batch["label_map"][shown], predicted[shown], names, captions
        )
    pictures["confusion"] = to_rgb(
        confusion_matrix(metric.confusion, names, unit="share of the true class's pixels")
    )
    return Report(class_lines(metric), pictures)


def classes_of(predictions: Any) -> np.ndarray:
    """Returns classes [B, H, W] of predictions, which are those or probabilities [B, H, W, K]."""
    predictions = np.asarray(predictions)
    return predictions.argmax(axis=-1) if predictions.ndim == 4 else predictions


def class_lines(metric: Segmentation) -> list[str]:
    """Lists the classes with the lowest IoU, and what each is most often taken for."""
    ious = class_values(metric.confusion)["IoU"]
    order = [int(k) for k in np.argsort(np.nan_to_num(ious, nan=2.0), kind="stable")[:_LISTED]]
    lines = []
    for k in order:
        if np.isnan(ious[k]):
            continue
        wrong = metric.confusion[k].copy()
        wrong[k] = 0
        total = max(int(metric.confusion[k].sum()), 1)
        taken = int(wrong.argmax())
        also = f"; {wrong[taken] / total:.0%} taken for {metric.class_names[taken]}"
        lines.append(f"  {metric.class_names[k]}: {ious[k]:.3f}{also if wrong[taken] else ''}")
    return ["lowest IoU:", *lines] if lines else []


def _resized(label_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(label_map.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)


def _edges(label_map: np.ndarray) -> np.ndarray:
    """Says which pixels [H, W] are of another class than the one to the right or below."""
    edges = np.zeros(label_map.shape, bool)
    edges[:, :-1] |= label_map[:, :-1] != label_map[:, 1:]
    edges[:-1] |= label_map[:-1] != label_map[1:]
    return edges
