"""YOLOv8, there is no paper; Ultralytics 8.2.

    python train.py --config configs/yolov8.py                   # n on drawn shapes
    python train.py --config configs/yolov8.py:s,coco2017 --config.data.path=DIR

The argument names a variant and a source: see `configs/yolox.py`.
Published AP on COCO after 500 epochs at 640 pixels:
37.3 (n), 44.9 (s), 50.2 (m), 52.9 (l), 53.9 (x).
Not run here on COCO.
Departs from the authors: no warmup of the momentum and of the biases' own learning rate.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("n", "s", "m", "l", "x"))
    config = detection.defaults("yolov8")
    config.variant = f"yolov8{variant}"
    detection.from_source(config, source, values)
    return config
