"""U-Net: Convolutional Networks for Biomedical Image Segmentation, Ronneberger et al. 2015.

https://arxiv.org/abs/1505.04597.

    python train.py --config configs/unet.py
    python train.py --config configs/unet.py:camvid --config.data.path=DIR
    python train.py --config configs/unet.py:paper,folder --config.data.path=DIR
    python train.py --config configs/unet.py:folder --config.data.path=DIR \
        --config.variant=backbone_unet --config.backbone=resnet18 --config.weights=resnet18.pth

The argument names the network and the format of the data (shapes, folder, camvid, voc, cityscapes,
coco).
`small` is a padded network with a quarter of the channels, `milesial` that of Pytorch-UNet, `paper`
the paper's without padding, whose images are extended by mirroring; it is trained as in section 3:
high momentum, weights between objects, elastic deformation. `camvid` is learned from scratch at
180 x 240. DIR of `folder` holds `images/train`, `masks/train`, the same of `val`, and
`classes.txt`.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import segmentation

recipe = segmentation


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = segmentation.parse(arg, variant=("small", "milesial", "paper"))
    config = segmentation.defaults()
    segmentation.from_source(config, source)
    config.variant = "unet" if variant == "paper" else f"unet_{variant}"
    config.optimizer.update(name="adamw", learning_rate=2e-3, weight_decay=1e-2, clip_norm=1.0)
    if variant == "paper":  # section 3: a high momentum, the border's weights, elastic deformation
        config.update(batch_size=1)
        config.loss.border_weight = 10.0
        config.augment.update(elastic=10.0, elastic_spacing=128)
        config.optimizer.update(
            name="momentum", learning_rate=1e-3, momentum=0.99, weight_decay=0.0
        )
    return config
