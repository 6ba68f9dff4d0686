"""R-CNN, Girshick et al. 2013, https://arxiv.org/abs/1311.2524.

    python train.py --config configs/rcnn.py                         # tiny on drawn shapes
    python train.py --config configs/rcnn.py:alexnet,voc --config.data.path=DIR \
        --config.backbone=alexnet --config.weights=alexnet

Regions come from selective search, as in `configs/fast_rcnn.py`. The network is trained with a
softmax; after the last step support vector machines and box regressions are fitted to its features.
The argument names a variant and a source: see `configs/yolox.py`. Published AP50 on VOC 2007: 58.5
with AlexNet, 66.0 with VGG16. Not run here on VOC.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("tiny", "alexnet", "vgg16"))
    config = detection.defaults("rcnn")
    config.variant = f"rcnn_{variant}"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.data.update(max_proposals=64, train_images=400)
        config.loss.update(samples=16)
        config.optimizer.clip_norm = 1.0
    return config
