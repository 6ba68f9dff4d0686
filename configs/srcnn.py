"""SRCNN: Image Super-Resolution Using Deep Convolutional Networks, Dong et al. 2014.

https://arxiv.org/abs/1501.00092.

    python train.py --config configs/srcnn.py
    python train.py --config configs/srcnn.py:955 --config.data.path=DIR --config.data.eval=SET5
    python train.py --config configs/srcnn.py:955,x2 --config.data.path=DIR

The argument names the filters (915, 935, 955) and the scale (x2, x3, x4). DIR is a folder of
pictures, SET5 one or several folders, separated by commas, with the pictures in `HR/`; without
DIR, pictures are drawn. Published PSNR of Y on Set5 after days of training, 9-5-5: 36.66 (x2),
32.75 (x3), 30.49 dB (x4); bicubic: 33.66, 30.39, 28.42.

Departs from the paper: Adam in place of SGD, with the tenth of the learning rate for the last layer
as there; patches are cut at random and turned in eight ways.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import super_resolution
from jaxvision.recipes.words import words

recipe = super_resolution


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    kernels, scale = words(arg, kernels=("915", "935", "955"), scale=("x3", "x2", "x4"))
    config = super_resolution.defaults()
    config.update(variant=f"srcnn_{kernels}", scale=int(scale[1:]), epochs=60)
    config.image_size = 36  # 33 in the paper; of every scale a multiple
    config.degradation.rounded = False  # as in the published evaluation
    config.optimizer.update(name="adam", learning_rate=1e-3)
    config.optimizer.groups = (("reconstruct/.*", 0.1, 1.0),)
    config.schedule.warmup = 0.02
    config.ema.update(decay=0.999, warmup=500)
    config.eval.epochs = 5
    return config
