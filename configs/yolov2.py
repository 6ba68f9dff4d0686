"""YOLOv2: YOLO9000, Redmon and Farhadi 2016.

https://arxiv.org/abs/1612.08242.

    python train.py --config configs/yolov2.py
    python train.py --config configs/yolov2.py:full,voc --config.data.path=DIR

The argument names a variant, `full` for the paper's, and a source: see `configs/yolox.py`. `nano`
is ours: the tiny network with half the channels.
Published AP50 on VOC 2007: 76.8 with 416 pixels, 78.6 with 544.
Not run here; measured on `shapes`: AP 0.432, AP50 0.854.
Departs from the paper: no pretraining of the backbone by itself.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("nano", "tiny", "full", "tiny_coco"))
    config = detection.defaults("yolov2")
    config.variant = f"yolov2_{variant}" if variant != "full" else "yolov2"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        # Objects of all sizes would share one of the authors' anchors, and few cells.
        config.update(image_size=224, epochs=7)
        config.data.update(train_images=3200, cache_bytes=500_000_000)
        config.loss.anchors = "fitted"
    if values:
        config.augment.multi_scale = tuple(range(320, 609, 96))
    return config
