"""Learning Representations by Back-Propagating Errors, Rumelhart et al. 1986.

The network is that of LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf,
section III.C.5: 784-300-100-10.

    python train.py --config configs/mlp.py
    python train.py --config configs/mlp.py:mnist --config.data.path=DIR

The argument names a source (`digits`, which are drawn and need no download, `mnist`,
`fashion_mnist`). DIR holds the IDX files. Published error on MNIST: 3.05%. Measured on the drawn
digits after ten epochs, 45 seconds of processor time: 0.65%.

Departs from the paper: ReLU, cross entropy and Adam.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (source,) = words(arg, source=("digits", "mnist", "fashion_mnist"))
    config = classification.defaults()
    config.update(variant="mlp", image_size=28, epochs=10, num_workers=2, log_every=100)
    config.update(mean=(0.1307,), std=(0.3081,))
    config.data.update(source=source, val="test")
    config.augment.update(crop="pad", padding=0, flip=0.0)
    config.optimizer.name = "adam"
    config.eval.resize = 0.0
    if source == "digits":
        config.data.update(train_images=10_000, val_images=2_000)
    return config
