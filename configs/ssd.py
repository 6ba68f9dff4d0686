"""SSD: Single Shot MultiBox Detector, Liu et al. 2015, https://arxiv.org/abs/1512.02325.

    python train.py --config configs/ssd.py
    python train.py --config configs/ssd.py:300,voc --config.data.path=DIR

The argument names a variant, 300 and 512 for the paper's, and a source: see `configs/yolox.py`.
`tiny` is ours: a small backbone, learned from scratch by AdamW.
Published AP50 on VOC 2007, of 11 points (`--config.eval.metric=voc07`): 74.3 (300), 76.8 (512),
77.2 and 79.8 with zoomed-out images, which are on here (`--config.augment.zoom_out=0.5`).
Departs from the paper: images keep their aspect ratio; not run here on VOC.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("tiny", "300", "512"))
    config = detection.defaults("ssd")
    config.variant = "ssd_tiny" if variant == "tiny" else f"ssd{variant}_vgg16"
    config.image_size = 512 if variant == "512" else 300
    detection.from_source(config, source, values)
    if variant == "tiny":
        detection.from_scratch(config)
        config.batch_size = 16
    return config
