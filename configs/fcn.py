"""Fully Convolutional Networks for Semantic Segmentation, Long et al. 2015.

https://arxiv.org/abs/1411.4038; DeepLabv3, Chen et al. 2017, https://arxiv.org/abs/1706.05587.

    python train.py --config configs/fcn.py
    python train.py --config configs/fcn.py:fcn8s,voc --config.data.path=DIR
    python train.py --config configs/fcn.py:fcn_resnet50,voc --config.data.path=DIR \
        --config.weights=fcn_resnet50

The argument names the network and the format of the data (shapes, folder, camvid, voc, cityscapes,
coco).
`--config.freeze="upsample.*"` keeps the upsampling of fcn32s, fcn16s and fcn8s bilinear, as the
authors do. Published mean IoU on VOC 2011 val: 62.7 for fcn8s; not measured here.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import segmentation

recipe = segmentation
_VGG = ("fcn8s", "fcn8s_at_once", "fcn16s", "fcn32s")
_RESNET = ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = segmentation.parse(arg, variant=("", *_VGG, *_RESNET))
    config = segmentation.defaults()
    segmentation.from_source(config, source)
    config.variant = variant or ("fcn_resnet18" if source == "shapes" else "fcn_resnet50")
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=1e-2, clip_norm=1.0)
    if source != "shapes":
        config.update(epochs=50, batch_size=8)
        config.optimizer.update(
            name="momentum", learning_rate=0.01, momentum=0.9, weight_decay=1e-4, clip_norm=0.0
        )
        config.schedule.update(name="polynomial", power=0.9)
    return config
