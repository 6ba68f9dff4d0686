"""Faster R-CNN, Ren et al. 2015, https://arxiv.org/abs/1506.01497.

    python train.py --config configs/faster_rcnn.py                  # tiny on drawn shapes
    python train.py --config configs/faster_rcnn.py:resnet50_fpn,coco2017 --config.data.path=DIR \
        --config.backbone=resnet50 --config.weights=resnet50 \
        --config.freeze="backbone/(stem|stage2).*"
    python train.py --config configs/faster_rcnn.py:vgg16,voc --config.data.path=DIR \
        --config.backbone=vgg16 --config.weights=vgg16

The argument names a variant and a source: see `configs/yolox.py`. Published AP on COCO with a
pyramid on ResNet-50: 37.0 (torchvision), 37.9 (Detectron2); AP50 on VOC 2007 with VGG16: 69.9.
Not run here on COCO or VOC.
Departs from torchvision: images are fitted into a square; `--config.image_size=1344
--config.short_side=800` gives them its sizes.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection
VARIANTS = ("tiny", "resnet18_fpn", "mobilenet_v3_fpn", "resnet50_fpn", "resnet101_fpn", "vgg16")


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=VARIANTS)
    config = detection.defaults("faster_rcnn")
    config.variant = f"faster_rcnn_{variant}"
    detection.from_source(config, source, values)
    if variant == "vgg16":
        config.loss.update(proposal_scales=(8.0, 16.0, 32.0), background_iou=0.1)
    if config.data.source == "shapes":
        config.loss.update(proposal_scales=(2.0,), samples=64)  # objects are as small as 16 pixels
        config.loss.update(proposal_pre_nms=(256, 128), proposal_post_nms=(256, 128))
        config.optimizer.clip_norm = 1.0
        config.eval.epochs = 2
    return config
