"""The formats that `jaxvision predict --save` knows."""

from collections.abc import Sequence

from jaxvision.inference.outputs.coco import coco_results
from jaxvision.inference.outputs.json_list import json_list
from jaxvision.inference.outputs.masks import label_maps
from jaxvision.inference.outputs.table import table
from jaxvision.inference.outputs.yolo import yolo_labels
from jaxvision.inference.predictor import Predictor

FORMATS = {
    "json": json_list,
    "csv": table,
    "yolo": yolo_labels,
    "coco": coco_results,
    "masks": label_maps,
}
# What each of them writes.
FILES = {
    "json": "predictions.json",
    "csv": "predictions.csv",
    "yolo": "labels/*.txt",
    "coco": "coco.json",
    "masks": "masks/*.png",
}


def check_formats(names: Sequence[str], predictor: Predictor) -> None:
    """Checks that a predictor's results can be written so.

    Raises:
        ValueError: If there is no such format, or it is not of this predictor's results.
    """
    for name in names:
        if name not in FORMATS:
            raise ValueError(f"--save must be of {', '.join(FORMATS)}, got {name}")
        if name not in predictor.formats:
            raise ValueError(
                f"--save of a {type(predictor).__name__.lower()} must be of "
                f"{', '.join(predictor.formats)}, got {name}"
            )
