"""SegNet: A Deep Convolutional Encoder-Decoder Architecture, Badrinarayanan et al. 2015.

https://arxiv.org/abs/1511.00561.

    python train.py --config configs/segnet.py
    python train.py --config configs/segnet.py:camvid --config.data.path=DIR
    python train.py --config configs/segnet.py:full,camvid --config.data.path=DIR \
        --config.image_size="(360, 480)" --config.epochs=400

Median frequency weights as in section 4; `basic` has four convolutions of 64 channels on either
side, `full` is VGG16 and its mirror. Published on CamVid's test split at 360 x 480, after 140,000
steps: mean IoU 60.1, class average 71.2, global 90.4 (table 3); not measured here.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import segmentation

recipe = segmentation


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = segmentation.parse(arg, variant=("basic", "full"))
    config = segmentation.defaults()
    segmentation.from_source(config, source)
    config.variant = "segnet" if variant == "full" else "segnet_basic"
    config.loss.class_weights = "median_frequency"
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=5e-4, clip_norm=1.0)
    return config
