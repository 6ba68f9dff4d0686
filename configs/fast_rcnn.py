"""Fast R-CNN, Girshick 2015, https://arxiv.org/abs/1504.08083.

    python train.py --config configs/fast_rcnn.py                    # tiny on drawn shapes
    python train.py --config configs/fast_rcnn.py:vgg16,voc --config.data.path=DIR \
        --config.backbone=vgg16 --config.weights=vgg16

Regions come from selective search, which needs the extra `proposals`; it takes seconds for a large
image, and the option `--proposals` of `jaxvision pack` keeps what it found. The argument names a
variant and a source: see `configs/yolox.py`. Published AP50 on VOC 2007 with VGG16: 66.9, after
training on VOC 2007 and 2012 70.0. Not run here on VOC.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("tiny", "vgg16", "resnet50_fpn"))
    config = detection.defaults("fast_rcnn")
    config.variant = f"fast_rcnn_{variant}"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.data.update(max_proposals=128)
        config.optimizer.clip_norm = 1.0
        config.eval.epochs = 2
    return config
