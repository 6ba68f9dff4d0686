"""YOLOv8, there is no paper; Ultralytics 8.2.

    python train.py --config configs/yolov8.py                   # n on drawn shapes
    python train.py --config configs/yolov8.py:s,coco2017 --config.data.path=DIR

The argument names a variant and a source: see `configs/yolox.py`.
Published AP on COCO after 500 epochs at 640 pixels:
37.3 (n), 44.9 (s), 50.2 (m), 52.9 (l), 53.9 (x).
Not run here on COCO.
Own data, without the recipe `coco2017`, are learned by AdamW, as the authors choose for runs of
fewer than 10,000 steps, and by the last quarter of the steps without mosaic.
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
    if config.data.source != "shapes" and not values:
        # The authors' rate is 0.01 / (4 + classes).
        config.optimizer.update(name="adamw", learning_rate=1.4e-3)
        config.augment.no_aug = 0.25
    return config
