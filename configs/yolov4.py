"""YOLOv4, Bochkovskiy et al. 2020.

https://arxiv.org/abs/2004.10934.

    python train.py --config configs/yolov4.py
    python train.py --config configs/yolov4.py:full,coco2017 --config.data.path=DIR

The argument names a variant, `full` for the paper's, and a source: see `configs/yolox.py`.
Published AP on COCO: 41.2 with 416 pixels, 43.0 with 512, 43.5 with 608.
Not run here.
Departs from the paper: no self-adversarial training, no statistics across batches.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("tiny", "full"))
    config = detection.defaults("yolov4")
    config.variant = f"yolov4_{variant}" if variant != "full" else "yolov4"
    detection.from_source(config, source, values)
    if values:
        config.augment.multi_scale = tuple(range(320, 609, 96))
    return config
