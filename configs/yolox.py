"""YOLOX: Exceeding YOLO Series in 2021, Ge et al. 2021, https://arxiv.org/abs/2107.08430.

    python train.py --config configs/yolox.py
    python train.py --config configs/yolox.py:tiny,voc --config.data.path=DIR
    python train.py --config configs/yolox.py:s,coco2017 --config.data.path=DIR

The argument names a variant (nano, tiny, s, m, l, x, darknet53) and the format of the data (shapes,
coco, voc, yolo, csv, tfds, packed), in any order. `coco2017` is the recipe of the authors' code for
COCO: 300 epochs, batch 64, several sizes. Measured on `shapes`: AP 0.776, AP50 0.952 after nine
epochs, nine minutes of processor time.

    python train.py --config configs/yolox.py:s,coco2017,paper --config.data.path=DIR

The authors' weights are of August 2021; they have changed SimOTA and the augmentation since. The
recipe follows their present code, with which they report 40.6 AP for s. `paper` sets what the
weights were trained with: a centre of 2.5 strides and candidates within boxes too, an affine map
about the canvas's centre, boxes filtered when they were cut, none of 8 pixels or less, hue,
saturation and value multiplied; and images of 448 to 832 pixels.
"""

from ml_collections import ConfigDict

from jaxvision.recipes import detection
from jaxvision.recipes.words import words

recipe = detection


def get_config(arg: str = "") -> ConfigDict:
    """Returns the values; a flag `--config.name=value` replaces one."""
    variant, source, values, weights = words(
        arg,
        variant=("tiny", "nano", "s", "m", "l", "x", "darknet53"),
        source=detection.SOURCES,
        recipe=detection.RECIPES,
        weights=("", "paper"),
    )
    source = source or ("coco" if values else "shapes")
    small, paper = variant in ("nano", "tiny"), weights == "paper"
    config = detection.defaults("yolox")
    config.update(variant=f"yolox_{variant}", image_size=416 if small else 640)
    config.data.source = source
    if small:
        mosaic = 0.5 if variant == "nano" else 1
        config.augment.update(mosaic=mosaic, mixup=0, mosaic_scale=(0.5, 1.5))
    if paper:
        config.loss.update(center_radius=2.5, candidates="box_or_center")
        config.augment.update(affine_centered=True, filter_boxes=True, hsv_gain=True, min_side=8)
    if values == "coco2017":
        config.data.update(train="train2017", val="val2017")
        first, last = (320, 640) if small else (448, 832) if paper else (480, 800)
        config.augment.multi_scale = tuple(range(first, last + 1, 64))
    else:
        # A small set has few steps: a longer warmup and a longer end without mosaic.
        config.update(batch_size=16)
        config.schedule.warmup = 0.05
        config.augment.no_aug = 0.125
        config.eval.epochs = 5
    if source == "shapes":
        config.update(image_size=128, batch_size=8, epochs=9)  # small batches: more steps
        config.data.update(train_images=1600, val_images=200, cache_bytes=100_000_000)  # all
        config.optimizer.learning_rate = 0.08  # few steps, from scratch
        # Places, sizes and colours are random already.
        config.augment.update(mosaic=0, mixup=0, hsv=0)
    return config
