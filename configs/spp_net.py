"""SPP-Net: Spatial Pyramid Pooling, He et al. 2014, https://arxiv.org/abs/1406.4729.

    python train.py --config configs/spp_net.py                      # tiny on drawn shapes
    python train.py --config configs/spp_net.py:zf5,voc --config.data.path=DIR

Regions and what follows the training of the network are those of `configs/rcnn.py`. The argument
names a variant and a source: see `configs/yolox.py`. Published AP50 on VOC 2007: 59.2 with ZF-5.
Not run here on VOC.
Departs from the paper: images have one size, and the convolutions are trained, too, unless
`--config.freeze="backbone/.*"`.
"""

from typing import Any

from jaxvision.recipes import detection

recipe = detection


def get_config(arg: str = "") -> Any:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values = detection.parse(arg, variant=("tiny", "zf5"))
    config = detection.defaults("spp_net")
    config.variant = f"spp_net_{variant}"
    detection.from_source(config, source, values)
    if config.data.source == "shapes":
        config.data.update(max_proposals=64)
        config.loss.update(samples=32)
        config.optimizer.clip_norm = 1.0
    return config
