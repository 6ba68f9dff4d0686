"""A Fast Learning Algorithm for Deep Belief Nets, Hinton et al. 2006.

https://doi.org/10.1162/neco.2006.18.7.1527; contrastive divergence as in
https://doi.org/10.1162/089976602760128018; there is no paper on arXiv.

    python train.py --config configs/rbm.py
    python train.py --config configs/rbm.py:mnist --config.data.path=DIR

The argument names a source (`digits`, which are drawn and need no download, `mnist`). DIR holds the
IDX files. Three restricted Boltzmann machines are learned one after another, without labels; their
weights are what the classifier 784-500-500-2000-10 starts from. `--config.pretrain.steps=0` leaves
them out. Published error on MNIST: 1.25%, 1.2% after backpropagation. Measured on the drawn digits,
with five epochs of backpropagation, 56 seconds of processor time: 0.8%.

Departs from the paper: backpropagation in place of the up-down algorithm.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (source,) = words(arg, source=("digits", "mnist"))
    config = classification.defaults()
    config.update(variant="mlp_sigmoid", image_size=28, epochs=5, num_workers=2, log_every=100)
    config.update(mean=(0.0,), std=(1.0,))
    config.data.update(source=source, val="test")
    config.augment.update(crop="pad", padding=0, flip=0.0)
    config.pretrain.steps = 2_000
    config.optimizer.name = "adam"
    config.eval.resize = 0.0
    if source == "digits":
        config.data.update(train_images=10_000, val_images=2_000)
    return config
