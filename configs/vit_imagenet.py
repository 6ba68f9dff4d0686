"""Better plain ViT baselines for ImageNet-1k, Beyer et al. 2022, https://arxiv.org/abs/2205.01580.

    python train.py --config configs/vit_imagenet.py --config.data.path=DIR
    python train.py --config configs/vit_imagenet.py:vit_b_16 --config.data.path=DIR \
        --config.remat=True --config.sharding=fsdp

The argument names a variant of ViT. DIR holds `train/<synset>/<image>` and `val/<synset>/<image>`,
or zip archives of them. Published top-1 accuracy of vit_s_16: 76.5% after 90 epochs, 78.5% after
150 and 80.0% after 300 (the paper and big_vision's `vit_s16_i1k.py`); not measured here.

The recipe: batch 1024, Adam, the gradient clipped to a norm of 1, learning rate 1e-3 on a cosine
after 10,000 steps of warmup, crops of 5% to 100% of an image, two operations of RandAugment, mixup
of 0.2. Its weight decay of 1e-4 a step is not multiplied by the learning rate but by the schedule's
share of it: that is AdamW's 0.1. The network averages the patches, has fixed positions and a layer
with tanh before its head.

Departs from the recipe: the first moment is float32, theirs bfloat16; they train on 99% of the
training split; their RandAugment has 16 operations, with inversion, added solarising and squares
cut out, here the 14 of its paper; their strength of 10 is the largest, as 30 is here.
"""

from ml_collections import ConfigDict

from jaxvision.models.backbones.vit import vit
from jaxvision.recipes import classification
from jaxvision.recipes.words import words

recipe = classification


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    (variant,) = words(arg, variant="vit_s_16")
    config = classification.defaults()
    config.update(variant=variant, batch_size=1024, epochs=90)
    config.update(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # to [-1, 1]
    config.update(log_every=50, save_every=1000, num_workers=16)
    # rep_size: channels of the layer with tanh, 0 for none.
    config.model.update(pool="gap", position="sincos2d", rep_size=vit(variant).width)
    config.model.update(activation="gelu_tanh", weight_init="big_vision")
    config.augment.update(crop_area=0.05, operations=2, magnitude=30, fill=128, mixup=0.2)
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=0.1, clip_norm=1.0)
    config.schedule.update(name="cosine", warmup_steps=10_000)
    return config
