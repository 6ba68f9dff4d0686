"""ZSSR: "Zero-Shot" Super-Resolution using Deep Internal Learning, Shocher et al. 2017.

https://arxiv.org/abs/1712.06087.

    python train.py --config configs/zssr.py
    python train.py --config configs/zssr.py --config.data.eval=SET5
    python train.py --config configs/zssr.py:blurred --config.data.path=PICTURE
    python train.py --config configs/zssr.py:paper --config.data.eval=SET5

A network for each picture, trained on the small picture alone. SET5 is one or several folders with
pictures in `HR/`, PICTURE a picture or a folder of them, which are made small and restored; without
either, one is drawn. `jaxvision.load(RUN).upscale("photo.jpg")` trains a network for a picture of
yours. The argument names the network (small, or paper), the scale (x2, x3, x4) and how pictures are
made small (bicubic, or blurred: by a Gaussian kernel and taking every s-th pixel, also in
training). Published PSNR of Y on Set5: 37.37 (x2), 33.42 (x3), 31.13 dB (x4).

Departs from the paper: a cosine in place of learning rates that fall where the loss stays, and all
scales in one training.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import zero_shot
from jaxvision.recipes.words import words

recipe = zero_shot


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    size, scale, kernel = words(
        arg,
        size=("small", "paper"),
        scale=("x2", "x3", "x4"),
        kernel=("bicubic", "blurred"),
    )
    config = zero_shot.defaults()
    config.update(scale=int(scale[1:]), epochs=1000)  # of a step each
    config.optimizer.update(name="adam", learning_rate=2e-3)
    config.schedule.warmup = 0.02
    config.eval.epochs = 250
    if kernel == "blurred":
        config.degradation.update(blur=(1.3, 1.3), downsize="direct")
    if size == "paper":
        config.update(variant="zssr", image_size=128, epochs=3000)
        config.optimizer.learning_rate = 1e-3
    return config
