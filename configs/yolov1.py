"""YOLOv1: You Only Look Once, Redmon et al. 2015.

https://arxiv.org/abs/1506.02640.

    python train.py --config configs/yolov1.py
    python train.py --config configs/yolov1.py:full,voc --config.data.path=DIR

The argument names a variant, `full` for the paper's, and a source: see `configs/yolox.py`. `nano`
is ours: cells of 32 pixels, so that images of 224 pixels have 7 x 7 of them.
Published AP on VOC 2007, trained on 2007 and 2012: 63.4 (`--config.eval.metric=voc07`).
Not run here; measured on `shapes`: AP 0.469, AP50 0.896.
Departs from the paper: no pretraining of the backbone by itself; patches as SSD's in place of
shifts and scales by up to 20%.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("nano", "tiny", "full"))
    config = detection.defaults("yolov1")
    config.variant = f"yolov1_{variant}" if variant != "full" else "yolov1"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.update(image_size=224, epochs=6)
        config.data.update(train_images=3200, cache_bytes=500_000_000)
        # Outputs of the fully connected layer are sums over all cells.
        config.optimizer.groups = (("predict/.*", 0.1, 1.0),)
    return config
