"""Mask R-CNN, He et al. 2017, https://arxiv.org/abs/1703.06870.

    python train.py --config configs/mask_rcnn.py                    # tiny on drawn shapes
    python train.py --config configs/mask_rcnn.py:resnet50_fpn,coco2017 --config.data.path=DIR

The argument names a variant and a source with masks of its objects: shapes, coco, yolo or packed.
See `configs/faster_rcnn.py`, whose values these are, too. Published AP of boxes and masks on COCO
with a pyramid on ResNet-50: 37.9 and 34.6 (torchvision), 38.6 and 35.2 (Detectron2). Not run here
on COCO.
Departs from torchvision: images are fitted into a square; `--config.image_size=1344
--config.short_side=800` gives them its sizes.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection
VARIANTS = ("tiny", "resnet18_fpn", "resnet50_fpn", "resnet101_fpn")


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=VARIANTS)
    config = detection.defaults("mask_rcnn")
    config.variant = f"mask_rcnn_{variant}"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.data.max_objects = 8
        config.loss.update(proposal_scales=(2.0,), samples=64)  # objects are as small as 16 pixels
        config.loss.update(proposal_pre_nms=(256, 128), proposal_post_nms=(256, 128))
        config.optimizer.clip_norm = 1.0
        config.eval.update(epochs=2, max_detections=20)
    return config
