"""YOLOv3: An Incremental Improvement, Redmon and Farhadi 2018.

https://arxiv.org/abs/1804.02767.

    python train.py --config configs/yolov3.py
    python train.py --config configs/yolov3.py:full,coco2017 --config.data.path=DIR

The argument names a variant, `full` for the paper's, and a source: see `configs/yolox.py`. `nano`
is ours: the tiny network with half the channels.
Published AP50 on COCO: 55.3 with 416 pixels, 57.9 with 608.
Not run here; measured on `shapes`: AP 0.453, AP50 0.836.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("nano", "tiny", "full", "spp"))
    config = detection.defaults("yolov3")
    config.variant = f"yolov3_{variant}" if variant != "full" else "yolov3"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.update(image_size=192, epochs=8)
        config.data.update(train_images=3200, cache_bytes=400_000_000)
    if values:
        config.augment.multi_scale = tuple(range(320, 609, 96))
    return config
