"""Gradient-Based Learning Applied to Document Recognition, LeCun et al. 1998.

http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section III.

    python train.py --config configs/lenet_mnist.py
    python train.py --config configs/lenet_mnist.py:mnist --config.data.path=DIR
    python train.py --config configs/lenet_mnist.py:modern,fashion_mnist --config.data.path=DIR

The argument names a variant (`original`, `modern`) and a source (`digits`, which are drawn and need
no download, `mnist`, `fashion_mnist`), in any order. DIR holds the IDX files. Published error on
MNIST: 0.95% without distortions. Measured on the drawn digits after five epochs, a minute on two
processor cores: 1.0% (original), 0.1% (modern).

Departs from the paper: momentum and a falling learning rate in batches of 64, in place of its
second-order method on single images; cross entropy without a rubbish class.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source = words(
        arg, variant=("original", "modern"), source=("digits", "mnist", "fashion_mnist")
    )
    config = classification.defaults()
    config.update(variant={"original": "lenet5", "modern": "lenet5_modern"}[variant])
    config.update(image_size=32, epochs=20, log_every=50, num_workers=2)
    # Black becomes -0.1 and white 1.175, as in section II.B.
    config.update(mean=(0.1 / 1.275,), std=(1 / 1.275,))
    config.data.update(source=source, val="test")
    config.augment.update(crop="pad", padding=0, flip=0.0)
    # The original's logits are sums of 84 squares, which diverge at a larger rate.
    rate = {"original": 0.01, "modern": 0.02}[variant]
    config.optimizer.update(name="momentum", learning_rate=rate)
    config.eval.resize = 0.0
    if source == "digits":
        config.epochs = 5
        config.data.update(train_images=10_000, val_images=2_000)
    return config
