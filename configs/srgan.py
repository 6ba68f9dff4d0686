"""SRGAN, Ledig et al. 2016, https://arxiv.org/abs/1609.04802.

    python train.py --config configs/srgan.py
    python train.py --config configs/srgan.py --config.data.path=DIR --config.weights=SRRESNET
    python train.py --config configs/srgan.py:paper --config.data.path=DIV2K \
        --config.weights=SRRESNET --config.loss.vgg=vgg19.pth

The argument names the networks (small, for a CPU, or paper). SRRESNET is a run of
`configs/srresnet.py` of the same network, from which the generator starts, `vgg19.pth` the weights
of torchvision for the perceptual loss (VGG54); without them the content loss is that of pixels,
the paper's SRGAN-MSE. DIR as for `configs/srresnet.py`. Published PSNR of Y, x4: 29.40 dB on Set5,
lower than SRResNet's 32.05: the pictures are sharper, not closer.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import adversarial_super_resolution
from jaxvision.recipes.words import words

recipe = adversarial_super_resolution


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (size,) = words(arg, size=("small", "paper"))
    config = adversarial_super_resolution.defaults()
    config.optimizer.update(name="adam", learning_rate=1e-4)
    config.loss.name = "l2"
    if size == "paper":  # 1e5 updates at each of two learning rates; players take turns
        config.update(variant="srresnet_x4", discriminator="srgan_discriminator")
        config.update(image_size=96, batch_size=16, epochs=2000)
        config.data.patches = 4
        config.loss.pixel_weight = 0.0  # with loss.vgg; without it set it to 1
        config.schedule.update(name="step", boundaries=(0.5,), factor=0.1)
        config.eval.epochs = 50
        return config
    config.epochs = 10
    config.schedule.name = "constant"
    config.eval.epochs = 2
    return config
