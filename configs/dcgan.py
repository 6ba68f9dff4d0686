"""Deep convolutional GANs, Radford et al. 2015, https://arxiv.org/abs/1511.06434.

    python train.py --config configs/dcgan.py
    python train.py --config configs/dcgan.py:mnist --config.data.path=DIR
    python train.py --config configs/dcgan.py:32,cifar10 --config.data.path=DIR
    python train.py --config configs/dcgan.py:64,folder --config.data.path=DIR

The argument names the network and the format of the data (digits, which are drawn and need no
download, mnist, cifar10, folder). `small` makes grey images of 32 x 32 pixels with half of the
paper's channels, `32` and `64` images of as many pixels. As in section 3: Adam at 2e-4 with b1 of
0.5, batches of 128, weights of deviation 0.02. An average of the generator is evaluated, which the
paper does not have. DIR is that of configs/ddpm.py.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import adversarial, generation

recipe = adversarial


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = generation.parse(arg, variant=("small", "32", "64"))
    config = adversarial.defaults()
    generation.from_source(config, source)
    end = {"small": "_small", "32": "_32", "64": ""}[variant]
    config.variant, config.discriminator.variant = (
        f"dcgan_generator{end}",
        f"dcgan_discriminator{end}",
    )
    config.update(batch_size=128, epochs=25)
    config.optimizer.update(name="adam", learning_rate=2e-4, b1=0.5)
    config.schedule.name = "constant"
    config.ema.update(decay=0.99, warmup=100)
    if variant == "small":
        config.update(batch_size=64, epochs=4 if source == "mnist" else 12)
    elif variant == "64":
        config.image_size = (64, 64)
    return config
