"""Several trained runs as one detector."""

from collections.abc import Sequence
from typing import Any

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.inference.detector import Detector
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.detection_ensemble import DetectionEnsemble, member_name


def ensemble(detectors: Sequence[Any]) -> Detector:
    """Joins detectors of the same classes; their boxes go through one suppression, or are fused.

        both = ensemble([jaxvision.load("runs/yolox"), jaxvision.load("runs/retinanet")])
        both.replaced(nms="fusion")("image.jpg")

    Args:
        detectors: Two or more, of any methods. Images are prepared as for the first, which also
            gives the data of evaluations and all thresholds.

    Raises:
        ValueError: If one is no detector, their classes differ, or their inputs are not square.
    """
    sides = []
    for detector in detectors:
        if not isinstance(detector, Detector):
            kind = type(detector).__name__.lower()
            raise ValueError(f"an ensemble must be of detectors, got a {kind}")
        transform = detector.transform
        if not isinstance(transform, Letterbox) or len({*transform.size}) > 1 or transform.shapes:
            raise ValueError(
                "an ensemble must be of detectors of square images, got one with "
                f"{transform}; take eval.rectangular=False"
            )
        sides.append(transform.size[0])
    if len(detectors) < 2:
        raise ValueError(f"an ensemble must be of two detectors or more, got {len(detectors)}")
    if len({bool(detector.max_proposals) for detector in detectors}) > 1:
        raise ValueError(
            "an ensemble must be of detectors of which all propose regions of their own, or none"
        )
    first = detectors[0]
    task: DenseDetection = first.task
    joined = DetectionEnsemble(
        **{field: getattr(task, field) for field in DenseDetection.__dataclass_fields__},
        members=tuple(detector.task for detector in detectors),
        sides=tuple(sides),
    )
    variables: dict[str, dict[str, Any]] = {}
    for number, detector in enumerate(detectors, 1):
        for name, tree in detector.variables.items():
            variables.setdefault(name, {})[member_name(number)] = tree
    return Detector(
        joined,
        variables,
        first.transform,
        batch_size=first.batch_size,
        threshold=first.threshold,
        max_proposals=first.max_proposals,
        origin=first.origin,
    )
