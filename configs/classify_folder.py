"""Any classifier on a folder of your own images.

    python train.py --config configs/classify_folder.py --config.data.path=DIR
    python train.py --config configs/classify_folder.py:mobilenet_v3_large --config.data.path=DIR
    python train.py --config configs/classify_folder.py:resnet50 --config.data.path=DIR \
        --config.weights=resnet50.pth --config.optimizer.learning_rate=1e-4

The argument names any classifier of `models.variants()`. DIR holds `train/<class>/<image>` and
`val/<class>/<image>`, or `train.zip` and `val.zip` with such folders in them. `weights` are those
of the reference for ImageNet, read without PyTorch; all but a last layer of another size starts
from them, and nothing is frozen but for `--config.freeze="backbone/.*"`.

Crops are those of Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, RandAugment is of Cubuk et
al. 2019, https://arxiv.org/abs/1909.13719, AdamW of Loshchilov and Hutter 2017,
https://arxiv.org/abs/1711.05101. What to expect depends on the images; the run draws confusions,
curves and reliability into `plots/` at every evaluation.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (variant,) = words(arg, variant="resnet18")
    config = classification.defaults()
    config.update(variant=variant, epochs=50)
    config.augment.update(crop_area=0.25, operations=2, magnitude=7)
    config.loss.label_smoothing = 0.1
    config.optimizer.update(name="adamw", learning_rate=5e-4, weight_decay=0.05, clip_norm=1.0)
    config.schedule.update(name="cosine", warmup=0.1)
    return config
