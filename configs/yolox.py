"""YOLOX: Exceeding YOLO Series in 2021, Ge et al. 2021, https://arxiv.org/abs/2107.08430.

    python train.py --config configs/yolox.py
    python train.py --config configs/yolox.py:tiny,voc --config.data.path=DIR
    python train.py --config configs/yolox.py:s,coco --config.data.path=DIR

The argument names a variant (nano, tiny, s, m, l, x, darknet53) and a source (shapes, coco, voc,
yolo, csv, tfds, packed), in any order. `coco` is the recipe of the authors' code: 300 epochs,
batch 64.

    python train.py --config configs/yolox.py:s,coco,paper --config.data.path=DIR

The authors' weights are of August 2021; they have changed SimOTA and the augmentation since. The
recipe follows their present code, with which they report 40.6 AP for s. `paper` sets what the
weights were trained with: a centre of 2.5 strides and candidates within boxes too, an affine map
about the canvas's centre, boxes filtered when they were cut, none of 8 pixels or less, hue,
saturation and value multiplied; and images of 448 to 832 pixels.
"""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from jaxvision import models, pretrained
from jaxvision.data.augment.affine import RandomAffine
from jaxvision.data.augment.color import ColorJitter
from jaxvision.data.augment.crop import RandomCrop
from jaxvision.data.augment.erasing import Cutout, RandomErasing
from jaxvision.data.augment.flip import VerticalFlip
from jaxvision.data.augment.multi_scale import MultiScale
from jaxvision.data.augment.rectangles import rectangles
from jaxvision.data.augment.transform import Transform
from jaxvision.data.balance import class_weights, image_weights
from jaxvision.data.detection import detection_split
from jaxvision.data.detection_samples import DetectionEvalSample, DetectionTrainSample
from jaxvision.data.errors import stop
from jaxvision.data.example import DetectionSource
from jaxvision.data.faults import FaultLog
from jaxvision.data.pipeline import EvalStream, TrainStream
from jaxvision.inference.draw import detection_sheet
from jaxvision.tasks.yolox_detection import YOLOXDetection
from jaxvision.train.ema import warm_up_decay
from jaxvision.train.experiment import Experiment
from jaxvision.train.optim import sgd
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import quadratic_warm_up_cosine

VARIANTS = ("nano", "tiny", "s", "m", "l", "x", "darknet53")
SOURCES = ("shapes", "coco", "voc", "yolo", "csv", "tfds", "packed")
RECIPES = ("paper",)


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    variant, source, recipe = "tiny", "shapes", ""
    for word in filter(None, arg.split(",")):
        if word in VARIANTS:
            variant = word
        elif word in SOURCES:
            source = word
        elif word in RECIPES:
            recipe = word
        else:
            known = ", ".join(VARIANTS + SOURCES + RECIPES)
            raise ValueError(f"the config's argument must be of {known}, got {word}")
    small = variant in ("nano", "tiny")

    config = ConfigDict()
    config.variant = variant
    config.image_size = 416 if small else 640
    config.batch_size = 64
    config.epochs = 300
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU
    config.num_classes = 0  # 0: as many as the data names
    config.backbone = ""  # one of models.variants(), as resnet50, in place of YOLOX's own
    # The authors' weights (.pth, .safetensors) to start from; with a backbone, torchvision's or
    # timm's of that.
    config.weights = ""

    config.log_every = 20  # steps, as the next two
    config.eval_every = 0  # 0: the recipe's interval, `eval_epochs`
    config.save_every = 0  # 0: an epoch, or 100 steps where an epoch is shorter
    config.num_workers = 4

    config.data = ConfigDict()
    config.data.source = source
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "val"
    config.data.val_share = 0.0  # a part of train is val, for sets that come without one
    config.data.fold = ""  # "2/5": the second of five parts of train is val
    config.data.split_seed = 0
    config.data.classes = ""  # comma-separated; empty: as the data names them
    config.data.strict = False  # boxes outside the image or without area are errors
    config.data.on_error = "stop"  # skip: leave unreadable images out, and list them every epoch
    config.data.prefetch = 4  # batches held ready
    config.data.max_objects = 120

    config.learning_rate = 0.01 / 64  # for each image of a batch
    config.momentum = 0.9
    config.weight_decay = 5e-4
    config.warm_up = 5 / 300  # share of the run
    config.plain = 15 / 300  # share of the run, its end: no mosaic or mixup, with the L1 term
    config.eval_epochs = 10
    config.ema_decay = 0.9998
    config.box_loss = "iou"
    config.center_radius = 1.5
    config.candidates = "center"  # or box_or_center
    config.class_weights = ""  # inverse or effective, by the training split's class frequencies
    config.balance = ""  # repeat or inverse: draws images of rare classes more often
    config.mosaic = 0.5 if variant == "nano" else 1.0
    config.mixup = 0.0 if small else 1.0
    config.mosaic_scale = (0.5, 1.5) if small else (0.1, 2.0)
    config.degrees = 10.0
    config.translate = 0.1  # part of the input's side
    config.shear = 2.0  # degrees
    config.flip = 0.5
    config.affine_centered = False  # about the canvas's centre, not its corner
    config.filter_boxes = False  # takes out what mosaic and mixup leave little of
    config.max_reduction = 8  # mosaic and mixup may read images at 1/2, 1/4, 1/8; 1: never
    config.hsv = 1.0
    # Sides of the training images, a new one every ten steps; each is a program to compile.
    config.multi_scale = tuple(range(320, 641, 64)) if small else tuple(range(480, 801, 64))
    config.rectangular = False  # evaluate images in the shape that suits them, not in squares
    config.hsv_gain = False  # multiplies instead of adding
    config.min_side = 1.0  # pixels; objects that are not larger are not trained on
    # Off, and in both phases if turned on, except for cutmix.
    config.cutmix = 0.0
    config.crop = 0.0
    config.vertical_flip = 0.0
    config.jitter = 0.0  # range of brightness, contrast and saturation
    config.erasing = 0.0
    config.cutout = 0  # squares of an eighth of the input's side

    if recipe == "paper":
        config.center_radius = 2.5
        config.candidates = "box_or_center"
        config.affine_centered = config.filter_boxes = config.hsv_gain = True
        config.min_side = 8.0
        if not small:
            config.multi_scale = tuple(range(448, 833, 64))

    if source == "coco":
        config.data.train = "train2017"
        config.data.val = "val2017"
    else:
        # A small set sees few steps: a longer rise, and a longer calm end, as a share of the run.
        config.batch_size = 16
        config.warm_up = 0.05
        config.plain = 0.125
        config.eval_epochs = 5
        config.multi_scale = ()  # () is image_size alone
    if source == "shapes":
        config.image_size = 128
        config.epochs = 10
        config.data.train_images = 1600
        config.data.val_images = 200
        config.learning_rate = 0.04 / 64  # few steps and no weights to start from
        # Places, sizes and colours are random already.
        config.mosaic = config.mixup = config.hsv = 0.0
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    size = (config.image_size, config.image_size)
    for name, side in (
        ("image_size", config.image_size),
        *(("multi_scale", side) for side in config.multi_scale),
    ):
        if side % 32 or side < 32:
            raise ValueError(f"{name} must be a multiple of 32, got {side}")
    if config.data.on_error not in ("stop", "skip"):
        raise ValueError(f"data.on_error must be stop or skip, got {config.data.on_error}")

    data = config.data
    shown = data.classes.split(",") if data.classes else None
    options = (
        {"image_size": config.image_size} if data.source == "shapes" else {"strict": data.strict}
    )
    train, val = detection_split(
        data.source,
        data.path,
        train=data.train,
        val=data.val,
        fold=data.fold,
        val_share=data.val_share,
        split_seed=data.split_seed,
        classes=shown and tuple(shown),
        **{name: data[name] for name in ("train_images", "val_images") if name in data},
        **options,
    )
    classes = train.classes
    if config.num_classes not in (0, len(classes)):
        raise ValueError(
            f"num_classes must be 0 or {len(classes)}, as the data names the classes "
            f"{', '.join(classes)}; got {config.num_classes}"
        )
    print(train.describe(data.max_objects), val.describe(), sep="\n")
    epoch = len(train) // config.batch_size
    total_steps = config.epochs * epoch
    plain_steps = round(config.plain * total_steps)

    faults = FaultLog()
    on_fault = faults if data.on_error == "skip" else stop
    plain, mixed = _train_samples(config, train)
    side_at = MultiScale(tuple(config.multi_scale) or (config.image_size,), seed=config.seed)

    def sample_at(step: int) -> DetectionTrainSample:
        sample = mixed if step < total_steps - plain_steps else plain
        return dataclasses.replace(sample, image_size=(side_at(step), side_at(step)))

    train_data = TrainStream(
        mixed,
        len(train),
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=config.num_workers,
        prefetch=data.prefetch,
        schedule=sample_at,
        weights=image_weights(train, config.balance) if config.balance else None,
        on_fault=on_fault,
    )
    eval_sample = DetectionEvalSample(
        val, size, shapes=rectangles(config.image_size) if config.rectangular else ()
    )
    eval_data = EvalStream(
        eval_sample,
        len(val),
        batch_size=config.batch_size,
        num_workers=config.num_workers,
        prefetch=data.prefetch,
        groups=eval_sample.groups() if config.rectangular else None,
        on_fault=on_fault,
    )

    dtype = compute_dtype(config.dtype)
    weights = None
    if config.class_weights:
        weights = tuple(class_weights(train, config.class_weights).tolist())
    task = YOLOXDetection(
        model=models.yolox(
            config.variant,
            num_classes=len(classes),
            dtype=dtype,
            **_backbone(config.backbone, dtype),
        ),
        class_names=classes,
        center_radius=config.center_radius,
        candidates=config.candidates,
        box_loss=config.box_loss,
        class_weights=weights,
        l1_from_step=total_steps - plain_steps,
    )

    start_from = None
    if config.weights:
        name = config.backbone or f"yolox_{config.variant}"
        _, variables = pretrained.load(name, config.weights)
        part = "backbone" if config.backbone else None
        start_from = functools.partial(pretrained.transfer, variables, part=part)

    learning_rate = quadratic_warm_up_cosine(
        config.learning_rate * config.batch_size,
        total_steps=total_steps,
        warm_up_steps=round(config.warm_up * total_steps),
        final_steps=plain_steps,
    )
    eval_every = config.eval_every or min(config.eval_epochs * epoch, total_steps)
    return Experiment(
        task=task,
        train_data=train_data,
        eval_data=eval_data,
        optimizer=sgd(learning_rate, momentum=config.momentum, weight_decay=config.weight_decay),
        learning_rate=learning_rate,
        total_steps=total_steps,
        start_from=start_from,
        seed=config.seed,
        ema=warm_up_decay(config.ema_decay),
        log_every=config.log_every,
        eval_every=eval_every,
        save_every=config.save_every or max(epoch, 100),
        best="AP",
        image_name=train.name,
        draw=functools.partial(detection_sheet, class_names=classes),
        epoch_report=faults.report,
        class_names=classes,
    )


def _backbone(name: str, dtype: jnp.dtype) -> dict[str, Any]:
    """Returns the fields of a model with another backbone, which wants normalised images."""
    if not name:
        return {}
    return {
        "backbone": models.backbone(name, dtype=dtype),
        "image_mean": (123.675, 116.28, 103.53),  # ImageNet's
        "image_std": (58.395, 57.12, 57.375),
    }


def _train_samples(
    config: ConfigDict, source: DetectionSource
) -> tuple[DetectionTrainSample, DetectionTrainSample]:
    """Returns what makes the training images of the last steps, and of those before."""
    plain = DetectionTrainSample(
        source,
        (config.image_size, config.image_size),
        config.data.max_objects,
        flip=config.flip,
        hsv=config.hsv,
        hsv_gain=config.hsv_gain,
        crop=RandomCrop(config.crop) if config.crop else None,
        extra=_extra(config),
        min_side=config.min_side,
    )
    affine = RandomAffine(
        config.degrees,
        config.translate,
        config.mosaic_scale,
        config.shear,
        centered=config.affine_centered,
        filter_boxes=config.filter_boxes,
    )
    mixed = dataclasses.replace(
        plain,
        mosaic=config.mosaic,
        mixup=config.mixup,
        cutmix=config.cutmix,
        affine=affine,
        max_reduction=config.max_reduction,
    )
    return plain, mixed


def _extra(config: ConfigDict) -> tuple[Transform, ...]:
    """Returns the further transforms that are on."""
    side = max(1, config.image_size // 8)
    transforms = {
        "vertical_flip": lambda probability: VerticalFlip(probability),
        "jitter": lambda extent: ColorJitter(extent, extent, extent),
        "erasing": lambda probability: RandomErasing(probability, max_covered=0.8),
        "cutout": lambda squares: Cutout(squares, side, max_covered=0.8),
    }
    return tuple(make(config[name]) for name, make in transforms.items() if config[name])
