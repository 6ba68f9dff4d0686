"""Deep Residual Learning for Image Recognition, He et al. 2015, https://arxiv.org/abs/1512.03385.

    python train.py --config configs/resnet_cifar10.py --config.data.path=DIR
    python train.py --config configs/resnet_cifar10.py:resnet56 --config.data.path=DIR
    python train.py --config configs/resnet_cifar10.py:short --config.data.path=DIR

The recipe of section 4.2: SGD with momentum 0.9, weight decay 1e-4, batch 128, learning rate 0.1,
divided by 10 at half and three quarters of 64,000 steps, crops of images padded by 4, mirror
images. Published errors (table 6): 8.75% for resnet20, 7.51% for 32, 7.17% for 44, 6.97% for 56,
6.43% for 110.

Departs from the paper: the mean and standard deviation of each channel in place of the mean of each
pixel; biases and normalisation are not decayed; the paper warms resnet110 up at a constant rate of
0.01, here the rate rises through an epoch; 164 epochs are 63,960 steps.

`short` is a run for a CPU: four epochs of one cycle. DIR holds `train.zip` and `test.zip`, or
folders, of `<class>/<image>`; `--config.data.source=cifar10` reads the authors' binary files.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, length = words(
        arg,
        variant=("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
        length=("", "short"),
    )
    config = classification.defaults()
    config.update(variant=f"{variant}_cifar", image_size=32, batch_size=128, epochs=164)
    config.update(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
    config.update(log_every=50, num_workers=2)
    config.data.update(val="test", cache_bytes=200_000_000)  # all images, decoded
    config.augment.update(crop="pad", padding=4)
    config.optimizer.update(name="momentum", learning_rate=0.1, weight_decay=1e-4)
    config.schedule.update(name="step", warmup_epochs=1 if variant == "resnet110" else 0)
    config.eval.resize = 0.0
    if length == "short":
        config.epochs = 4
        config.augment.padding = 2  # a few epochs need little augmentation
        config.optimizer.update(learning_rate=0.2, weight_decay=5e-4)
        config.schedule.update(name="one_cycle", warmup_epochs=0)
    return config
