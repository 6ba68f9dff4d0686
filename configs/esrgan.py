"""ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, Wang et al. 2018.

https://arxiv.org/abs/1809.00219.

    python train.py --config configs/esrgan.py
    python train.py --config configs/esrgan.py --config.data.path=DIR --config.weights=PSNR
    python train.py --config configs/esrgan.py:paper --config.data.path=DIV2K \
        --config.weights=PSNR --config.loss.vgg=vgg19.pth

The argument names the networks (tiny, for a CPU, or paper: RRDBNet with 23 blocks). PSNR is a run
of `configs/srresnet.py` with `--config.variant=rrdbnet_tiny` (or rrdbnet), from which the generator
starts, `vgg19.pth` the weights of torchvision for the perceptual loss, of features before the
activation; without them the content loss is L1 alone. The discriminator is relativistic.
`jaxvision.load(PSNR).interpolated(jaxvision.load(ESRGAN), 0.8)` mixes both networks. Published PSNR
of Y on Set5, x4, of the network trained for PSNR: 32.73 dB.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import adversarial_super_resolution
from jaxvision.recipes.words import words

recipe = adversarial_super_resolution


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (size,) = words(arg, size=("tiny", "paper"))
    config = adversarial_super_resolution.defaults()
    config.variant = "rrdbnet_tiny"
    config.optimizer.update(name="adam", learning_rate=1e-4)
    config.loss.update(
        name="l1",
        pixel_weight=1e-2,
        adversarial="relativistic_average",
        adversarial_weight=5e-3,
        perceptual_name="l1",
        perceptual_scale=1.0,
        perceptual_activated=False,
    )
    if size == "paper":  # section 4.1: halved after 50k, 100k, 200k and 300k of 400k updates
        config.update(variant="rrdbnet", discriminator="srgan_discriminator")
        config.update(image_size=128, batch_size=16, epochs=4000)
        config.data.patches = 4
        config.schedule.update(name="step", boundaries=(0.125, 0.25, 0.5, 0.75), factor=0.5)
        config.eval.epochs = 50
        return config
    config.epochs = 10
    config.schedule.name = "constant"
    config.loss.update(pixel_weight=1.0, adversarial_weight=1e-3)  # without features, pixels lead
    config.eval.epochs = 2
    return config
