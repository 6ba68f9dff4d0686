"""Searching for MobileNetV3, Howard et al. 2019, https://arxiv.org/abs/1905.02244.

    python train.py --config configs/mobilenet_imagenet.py --config.data.path=DIR
    python train.py --config configs/mobilenet_imagenet.py:mobilenet_v3_small --config.data.path=DIR

The argument names a variant. DIR holds `train/<synset>/<image>` and `val/<synset>/<image>`, or zip
archives of them. Published top-1 accuracy: large 75.2%, small 67.4% (table 3 of the paper); with
torchvision's recipe, which this is after, 74.0% and 67.7%; not measured here.

The recipe: batch 1024, RMSProp with momentum 0.9, learning rate 0.064, times 0.973 every two of 600
epochs, weight decay 1e-5, RandAugment, random erasing of one image in five. Departs from the
recipe: RandAugment in place of AutoAugment's ImageNet policy; the average of the weights has the
paper's decay of 0.9999 with a warmup; kernels alone decay.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (variant,) = words(arg, variant="mobilenet_v3_large")
    config = classification.defaults()
    config.update(variant=variant, batch_size=1024, epochs=600)
    config.update(log_every=50, save_every=1000, num_workers=16)
    config.augment.update(operations=2, magnitude=9, erase=0.2)
    config.optimizer.update(name="rmsprop", learning_rate=0.064, epsilon=0.0316, weight_decay=1e-5)
    config.schedule.update(name="exponential", factor=0.973, period_epochs=2)
    config.ema.decay = 0.9999
    return config
