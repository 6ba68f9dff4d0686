"""The report of a detector's evaluation."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from matplotlib.figure import Figure

from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Picture,
    Pictures,
    Section,
    Table,
    metrics_table,
    number,
    share,
)
from jaxvision.metrics.coco import COCODetection, ImageRecord
from jaxvision.metrics.curves import Curve
from jaxvision.metrics.detection_errors import (
    CALIBRATED_FROM,
    MATCHED_IOU,
    SIZE_BOUNDS,
    THRESHOLDS,
    Matches,
    Rates,
    confusion,
    match,
)
from jaxvision.plots.confusion import confusion_matrix
from jaxvision.plots.curves import curves, reliability
from jaxvision.plots.detections import draw_detections
from jaxvision.train.evaluate import Evaluation

# Pictures that are shown, and their longer side in pixels.
_WORST, _SIDE = 8, 480
# The grey of the letterbox.
_PADDING = 114


def report_detection(
    evaluation: Evaluation, data: Any, class_names: Sequence[str]
) -> EvaluationReport:
    """Lays out COCO's metrics, and what they mean at the threshold that is best for F1.

    Args:
        evaluation: Of a detector.
        data: The stream it was measured on, whose worst images are read again.
        class_names: By class index.
    """
    records = cast(COCODetection, evaluation.metric).images()
    matches = match(records, len(class_names))
    rates = Rates.of(matches)
    best = rates.best()
    threshold = float(THRESHOLDS[best])
    counts = confusion(records, len(class_names), threshold)
    sizes = _sizes(matches, threshold)
    worst = _worst(records, len(class_names), threshold)
    metrics = evaluation.metrics
    calibration = matches.calibration()
    classes = _classes(matches, rates, class_names, metrics)
    at = f"Detections with a score of {threshold:.2f} or more"
    sections = [
        Section("Metrics", "As COCO and VOC define them.", [metrics_table(metrics)]),
        Section(
            "Classes",
            f"Precision, recall and F1 at a score of {threshold:.2f}, where the mean F1 over the "
            f"classes is highest; a detection is right if it overlaps an object of its class by "
            f"an IoU of {MATCHED_IOU} or more.",
            [_class_table(classes)],
        ),
        Section(
            "Curves",
            f"Suggested threshold: {threshold:.2f}.",
            _curves(matches, rates, class_names, metrics),
        ),
        Section(
            "Confusions",
            f"{at}. The last column holds objects that were missed, the last row detections where "
            "there is no object.",
            [confusion_matrix(counts, [*class_names, "background"])],
        ),
        Section(
            "Calibration",
            f"How often detections of a score are right; those from {CALIBRATED_FROM} on.",
            [reliability(calibration)],
        ),
        Section("Misses by size", f"{at}. Areas as COCO divides them.", [_size_table(sizes)]),
        Section(
            "Worst pictures",
            f"{at}: those with the most missed objects and wrong detections. Truth on the left, "
            "detections on the right.",
            [_pair(record, wrong, data, class_names, threshold) for record, wrong in worst],
        ),
    ]
    values = {
        "metrics": metrics,
        "suggested_threshold": threshold,
        "classes": classes,
        "confusion": {"names": [*class_names, "background"], "counts": counts.tolist()},
        "calibration_error": calibration.error,
        "sizes": sizes,
        "worst": [{"image": data.name(r.index), "errors": wrong} for r, wrong in worst],
    }
    headline = (
        f"AP {number(metrics['AP'])}, AP50 {number(metrics['AP50'])} on {len(records):,} images; "
        f"suggested threshold {threshold:.2f}"
    )
    return EvaluationReport(headline, values, sections)


def _classes(
    matches: Matches, rates: Rates, class_names: Sequence[str], metrics: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Returns of each class its AP, and what the best threshold gives."""
    best = rates.best()
    kinds = [kind for kind in ("AP", "AP50", "VOC07", "VOC10") if kind in metrics]
    return {
        name: {
            **{kind: metrics[f"{kind}/{name}"] for kind in kinds},
            "precision": float(rates.precision[best, k]),
            "recall": float(rates.recall[best, k]),
            "f1": float(rates.f1[best, k]),
            "objects": int((matches.object_classes == k).sum()),
        }
        for k, name in enumerate(class_names)
    }


def _class_table(classes: dict[str, dict[str, float]]) -> Table:
    columns = [name for name in next(iter(classes.values()), {}) if name != "objects"]
    rows = [
        (name, *(number(found[c]) for c in columns), f"{found['objects']:,}")
        for name, found in classes.items()
    ]
    heads = ("F1" if column == "f1" else column for column in columns)
    return Table(("class", *heads, "objects"), rows)


def _curves(
    matches: Matches, rates: Rates, class_names: Sequence[str], metrics: dict[str, float]
) -> list[Figure]:
    shown = [k for k in range(len(class_names)) if (matches.object_classes == k).any()]
    names = [class_names[k] for k in shown]
    best = rates.best()
    by_threshold = [
        curves(
            [Curve(THRESHOLDS, values[:, k]) for k in shown],
            [float(area(values[:, k])) for k in shown],
            names,
            title=f"{name[0].upper()}{name[1:]} by threshold",
            axes=("threshold of the score", name),
            area=label,
            mark=float(THRESHOLDS[best]),
        )
        for name, values, label, area in (
            ("F1", rates.f1, "highest F1", np.max),
            ("precision", rates.precision, "at the mark", lambda x: x[best]),
            ("recall", rates.recall, "at the mark", lambda x: x[best]),
        )
    ]
    return [
        curves(
            [matches.precision_recall(k) for k in shown],
            [metrics[f"AP50/{name}"] for name in names],
            names,
            title=f"Precision by recall at IoU {MATCHED_IOU}",
            axes=("recall", "precision"),
            area="AP50",
        ),
        *by_threshold,
    ]


def _sizes(matches: Matches, threshold: float) -> dict[str, dict[str, float]]:
    found = {}
    for name, (low, high) in SIZE_BOUNDS.items():
        of_size = (matches.object_area >= low) & (matches.object_area < high)
        missed = int((of_size & (matches.found < threshold)).sum())
        found[name] = {"objects": int(of_size.sum()), "missed": missed}
    return found


def _size_table(sizes: dict[str, dict[str, float]]) -> Table:
    limits = {
        "small": "below 32 x 32 pixels",
        "medium": "32 x 32 to 96 x 96",
        "large": "above 96 x 96",
    }
    missed = [
        row["missed"] / row["objects"] if row["objects"] else np.nan for row in sizes.values()
    ]
    rows = [
        (f"{name}, {limits[name]}", f"{row['objects']:,}", f"{row['missed']:,}", share(part))
        for (name, row), part in zip(sizes.items(), missed, strict=True)
    ]
    return Table(("size", "objects", "missed", "share"), rows, np.nan_to_num(missed).tolist())


def _worst(
    records: Sequence[ImageRecord], num_classes: int, threshold: float
) -> list[tuple[ImageRecord, int]]:
    """Returns the images with the most errors, and how many."""
    counted = []
    for record in records:
        counts = confusion([record], num_classes, threshold)
        counted.append((record, int(counts.sum() - np.trace(counts))))
    counted.sort(key=lambda pair: (-pair[1], pair[0].index))
    return [(record, wrong) for record, wrong in counted[:_WORST] if wrong]


def _pair(
    record: ImageRecord, wrong: int, data: Any, class_names: Sequence[str], threshold: float
) -> Pictures:
    """Draws truth and detections of an image beside each other."""
    row = data.example(record.index)
    image, scale = _trimmed(row["image"]), float(row["scale"])
    kept = record.scores >= threshold
    truth = draw_detections(
        image, record.object_boxes * scale, record.object_classes, None, class_names, min_size=_SIDE
    )
    found = draw_detections(
        image,
        record.boxes[kept] * scale,
        record.classes[kept],
        record.scores[kept],
        class_names,
        min_size=_SIDE,
    )
    objects, shown = int((~record.object_crowd).sum()), int(kept.sum())
    return Pictures(
        f"{data.name(record.index)}: {wrong} errors",
        [
            Picture(truth, f"truth: {objects} objects"),
            Picture(found, f"detected: {shown} of a score from {threshold:.2f} on"),
        ],
    )


def _trimmed(image: np.ndarray) -> np.ndarray:
    """Cuts the letterbox's grey off below and at the right."""
    shown = (image != _PADDING).any(axis=2)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if not rows.size:
        return image
    return image[: rows[-1] + 1, : columns[-1] + 1]
