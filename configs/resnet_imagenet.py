"""Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, Goyal et al. 2017, on ResNet.

https://arxiv.org/abs/1706.02677; the network: He et al. 2015, https://arxiv.org/abs/1512.03385.

    python train.py --config configs/resnet_imagenet.py --config.data.path=DIR
    python train.py --config configs/resnet_imagenet.py:resnet101 --config.data.path=DIR

The argument names a variant of ResNet, ResNeXt or SE-ResNet. DIR holds `train/<synset>/<image>` and
`val/<synset>/<image>`, or zip archives of them. Published top-1 accuracy of resnet50 after 90
epochs: 76.3% (section 5.1, batch 256); not measured here.

The recipe: batch 1024, learning rate 0.4 (0.1 for 256 images), five epochs of warmup, divided by
10 after 30, 60 and 80 epochs, Nesterov momentum 0.9, weight decay 1e-4. Departs from the paper:
statistics of normalisation are over the whole batch, not the 32 images of a worker; no colour
jitter; the last normalisation of a block starts as the model has it.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (variant,) = words(arg, variant="resnet50")
    config = classification.defaults()
    config.update(variant=variant, batch_size=1024, epochs=90)
    config.update(log_every=50, save_every=1000, num_workers=16)
    config.optimizer.update(name="nesterov", learning_rate=0.4, weight_decay=1e-4)
    config.schedule.update(name="step", boundaries=(30 / 90, 60 / 90, 80 / 90), warmup_epochs=5)
    return config
