"""YOLOv5, there is no paper; the authors' release v7.0.

    python train.py --config configs/yolov5.py                   # n on drawn shapes
    python train.py --config configs/yolov5.py:s,coco2017 --config.data.path=DIR

The argument names a variant and a source: see `configs/yolox.py`.
Published AP on COCO after 300 epochs at 640 pixels:
28.0 (n), 37.4 (s), 45.4 (m), 49.0 (l), 50.7 (x).
Not run here on COCO.
Departs from the authors: no warmup of the momentum and of the biases' own learning rate, no
copy-paste or mixup of their larger networks.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("n", "s", "m", "l", "x"))
    config = detection.defaults("yolov5")
    config.variant = f"yolov5{variant}"
    detection.from_source(config, source, values)
    return config
