"""Training data-efficient image transformers, Touvron et al. 2021, without distillation.

https://arxiv.org/abs/2012.12877.

    python train.py --config configs/deit_imagenet.py --config.data.path=DIR
    python train.py --config configs/deit_imagenet.py:vit_b_16 --config.data.path=DIR \
        --config.remat=True --config.sharding=fsdp

The argument names a variant of ViT: DeiT-Ti, S and B are vit_ti_16, vit_s_16 and vit_b_16. DIR
holds `train/<synset>/<image>` and `val/<synset>/<image>`, or zip archives of them. Published top-1
accuracy: 72.2%, 79.8% and 81.8% after 300 epochs; not measured here.

The recipe of table 9: batch 1024, AdamW, learning rate 5e-4 for 512 images on a cosine after five
epochs of warmup, weight decay 0.05, label smoothing 0.1, stochastic depth 0.1, repeated
augmentation, RandAugment 9/0.5, mixup 0.8, CutMix 1.0, erasing 0.25; the rate's floor, the average
of the weights and the three repeats are of the authors' code. Departs from it: what is evaluated is
the average, which has a warmup here; erased parts are zero, not noise; their RandAugment, timm's,
has 15 operations, with inversion and added solarising, here the 14 of its paper; images are not
resized bicubically.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (variant,) = words(arg, variant="vit_s_16")
    config = classification.defaults()
    config.update(variant=variant, batch_size=1024, epochs=300)
    config.update(log_every=50, save_every=1000, num_workers=16)
    config.model.update(drop_path=0.1)
    # timm's strength of 9 of 10 with a deviation of 0.5 and each operation at 0.5.
    config.augment.update(operations=2, magnitude=27, deviation=1.5, probability=0.5)
    config.augment.update(erase=0.25, mixup=0.8, cutmix=1, repeats=3)
    config.loss.label_smoothing = 0.1
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=0.05)
    config.schedule.update(name="cosine", final_ratio=0.01, warmup_epochs=5)
    config.ema.decay = 0.99996
    return config
