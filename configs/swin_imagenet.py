"""Swin Transformer, Liu et al. 2021, https://arxiv.org/abs/2103.14030.

    python train.py --config configs/swin_imagenet.py --config.data.path=DIR
    python train.py --config configs/swin_imagenet.py:swin_b --config.data.path=DIR \
        --config.remat=True --config.sharding=fsdp

The argument names a variant. DIR holds `train/<synset>/<image>` and `val/<synset>/<image>`, or zip
archives of them. Published top-1 accuracy of swin_t, swin_s and swin_b after 300 epochs: 81.2%,
83.2% and 83.5% (the authors' repository); not measured here.

The recipe of appendix A2.1 and of the authors' code: batch 1024, AdamW, learning rate 1e-3 on a
cosine after 20 epochs of warmup, weight decay 0.05, the gradient clipped to a norm of 5, label
smoothing 0.1, RandAugment of timm's strength 9 of 10, mixup 0.8, CutMix 1.0, erasing 0.25, and
stochastic depth by variant. Departs from it: erased parts are zero, not noise; their RandAugment
has 15 operations, with inversion and added solarising, here the 14 of its paper; images are not
resized bicubically.
"""

from ml_collections import ConfigDict

from jaxvision.models.backbones.swin import swin
from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (variant,) = words(arg, variant="swin_t")
    config = classification.defaults()
    config.update(variant=variant, batch_size=1024, epochs=300)
    config.update(log_every=50, save_every=1000, num_workers=16)
    config.model.update(drop_path=swin(variant).drop_path)
    # timm's strength of 9 of 10 with a deviation of 0.5 and each operation at 0.5.
    config.augment.update(operations=2, magnitude=27, deviation=1.5, probability=0.5)
    config.augment.update(erase=0.25, mixup=0.8, cutmix=1)
    config.loss.label_smoothing = 0.1
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=0.05, clip_norm=5.0)
    config.schedule.update(name="cosine", final_ratio=0.01, warmup_epochs=20)
    return config
