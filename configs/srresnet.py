"""SRResNet, the network of SRGAN trained for PSNR, Ledig et al. 2016.

https://arxiv.org/abs/1609.04802.

    python train.py --config configs/srresnet.py
    python train.py --config configs/srresnet.py --config.data.path=DIR --config.data.eval=SET5
    python train.py --config configs/srresnet.py:paper --config.data.path=DIV2K \
        --config.data.decoded=CACHE

The argument names the network (small, with 4 blocks of 24 channels for a CPU, or paper) and the
scale (x4, x2, x3). DIR is a folder of pictures, or of DIV2K's layout, SET5 one or several folders,
separated by commas, with the pictures in `HR/`; without DIR, pictures are drawn. CACHE is a folder
that keeps decoded pictures. Published PSNR of Y, x4: 32.05 dB on Set5, 28.49 on Set14, 27.58 on
BSD100.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import super_resolution
from jaxvision.recipes.words import words

recipe = super_resolution


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    size, scale = words(arg, size=("small", "paper"), scale=("x4", "x2", "x3"))
    config = super_resolution.defaults()
    config.scale = int(scale[1:])
    config.variant = f"srresnet_{scale}" if size == "paper" else f"srresnet_small_{scale}"
    config.update(image_size=72 if scale == "x3" else 64, batch_size=16, epochs=20)
    if size == "paper":  # a million updates: 5,000 epochs of 200
        config.update(image_size=96, epochs=5000)
        config.optimizer.update(name="adam", learning_rate=1e-4)
        config.schedule.name = "constant"
        config.data.patches = 4
        config.eval.epochs = 50
        return config
    config.optimizer.update(name="adam", learning_rate=2e-3)
    config.loss.name = "l1"
    config.schedule.warmup = 0.02
    config.ema.update(decay=0.999, warmup=300)
    config.eval.epochs = 5
    return config
