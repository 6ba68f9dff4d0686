"""Generative Adversarial Networks, Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

    python train.py --config configs/gan.py
    python train.py --config configs/gan.py:mnist --config.data.path=DIR

The argument names the format of the data (digits, which are drawn and need no download, mnist,
cifar10, folder). Dense layers, maxout in the discriminator, images of 28 x 28 pixels; DIR is that
of configs/ddpm.py. `--config.loss.name` chooses another loss: minimax, least_squares, hinge,
relativistic, relativistic_average.

Departs from the paper: Adam at 2e-4 in place of momentum; an average of the generator is
evaluated.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import adversarial, generation

recipe = adversarial


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (source,) = generation.parse(arg)
    config = adversarial.defaults()
    generation.from_source(config, source)
    config.update(variant="gan_generator", image_size=(28, 28), batch_size=100, epochs=50)
    config.update(noise="uniform")
    config.discriminator.variant = "gan_discriminator"
    config.optimizer.update(name="adam", learning_rate=2e-4, b1=0.5)
    config.schedule.name = "constant"
    config.ema.update(decay=0.99, warmup=100)
    config.eval.epochs = 5
    return config
