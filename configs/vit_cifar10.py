"""ViT for small images: Hassani et al. 2021, https://arxiv.org/abs/2104.05704, ViT-Lite-7/4.

    python train.py --config configs/vit_cifar10.py --config.data.path=DIR
    python train.py --config configs/vit_cifar10.py:short --config.data.path=DIR

Escaping the Big Data Paradigm with Compact Transformers, section 4: a ViT (Dosovitskiy et al. 2020,
https://arxiv.org/abs/2010.11929) of seven blocks of width 256 on patches of 4 pixels learns from
50,000 images alone. The authors' code reports 91.38% on CIFAR-10 after 200 epochs; not measured
here. AdamW, learning rate 5e-4 for a batch of 128, weight decay 0.03, cosine, label smoothing.

Departs from the authors: RandAugment, mixup and CutMix in place of AutoAugment's policy for CIFAR;
queries, keys and values have a bias, as other ViTs have.

`short` is a run for a CPU: a smaller ViT that averages its patches, five epochs with crops and
mirror images alone. DIR holds `train.zip` and `test.zip`, or folders, of `<class>/<image>`;
`--config.data.source=cifar10` reads the authors' binary files.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (length,) = words(arg, length=("", "short"))
    config = classification.defaults()
    config.update(variant="vit_ti_16", image_size=32, batch_size=128, epochs=200)
    config.update(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
    config.update(log_every=50, num_workers=2)
    # The variant names the family; these are the sizes. pool: token, or gap, the patches' mean.
    config.model.update(patch=4, width=256, depth=7, heads=4, mlp_ratio=2)
    config.model.update(pool="token", drop_path=0.1)
    config.data.update(val="test", cache_bytes=200_000_000)  # all images, decoded
    config.augment.update(crop="pad", padding=4, operations=2, magnitude=9, mixup=0.8, cutmix=1)
    config.loss.label_smoothing = 0.1
    config.optimizer.update(name="adamw", learning_rate=5e-4, weight_decay=0.03, clip_norm=1.0)
    config.schedule.update(name="cosine", warmup_epochs=10)
    config.eval.resize = 0.0
    if length == "short":
        config.update(batch_size=64, epochs=5)
        config.model.update(width=128, depth=4, pool="gap", drop_path=0.0)
        config.augment.update(padding=2, operations=0, mixup=0, cutmix=0)
        config.loss.label_smoothing = 0.0
        config.optimizer.learning_rate = 1e-3
        config.schedule.warmup_epochs = 0.5
    return config
