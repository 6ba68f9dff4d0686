"""Any classifier on a folder of your own images.

    python train.py --config configs/classify_folder.py --config.data.path=DIR
    python train.py --config configs/classify_folder.py:mobilenet_v3_large --config.data.path=DIR
    python train.py --config configs/classify_folder.py:resnet50 --config.data.path=DIR \
        --config.weights=resnet50.pth --config.learning_rate=1e-4

The argument names any classifier of `models.variants()`. DIR holds `train/<class>/<image>` and
`val/<class>/<image>`, or `train.zip` and `val.zip` with such folders in them. `weights` are those
of the reference for ImageNet, read without PyTorch; all but a last layer of another size starts
from them, and nothing is frozen.

Crops are those of Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, RandAugment is of Cubuk et
al. 2019, https://arxiv.org/abs/1909.13719, AdamW of Loshchilov and Hutter 2017,
https://arxiv.org/abs/1711.05101. What to expect depends on the images; the run draws confusions,
curves and reliability into `plots/` at every evaluation.
"""

import functools

from ml_collections import ConfigDict

from jaxvision import models, pretrained
from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.rand_augment import RandAugment
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop
from jaxvision.data.classification_streams import classification_streams
from jaxvision.inference.plots import classification_figures
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.ema import warm_up_decay
from jaxvision.train.experiment import Experiment
from jaxvision.train.optim import optimizer
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import schedule
from jaxvision.train.step import make_step


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    config = ConfigDict()
    config.variant = arg or "resnet18"
    config.image_size = 224
    config.batch_size = 64
    config.epochs = 50
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU
    config.weights = ""  # the reference's weights (.pth, .safetensors) to start from

    config.log_every = 20  # steps, as the next two
    config.eval_every = 0  # 0: an epoch
    config.save_every = 0  # 0: an epoch
    config.num_workers = 4
    config.patience = 0  # evaluations without a better accuracy after which a run ends; 0: none

    config.data = ConfigDict()
    config.data.source = "image_folder"  # objects:voc and the like: several labels an image
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "val"
    config.data.classes = ""  # comma-separated; empty: as the data names them
    config.data.cache_bytes = 0

    config.mean = (0.485, 0.456, 0.406)  # ImageNet's; what pretrained weights expect
    config.std = (0.229, 0.224, 0.225)
    config.crop_area = 0.25  # least share of an image that a training crop shows
    config.flip = 0.5
    config.operations = 2  # of RandAugment, an image
    config.magnitude = 7
    config.erase = 0.0
    config.mixup = 0.0
    config.cutmix = 0.0
    config.resize = 1.143  # an evaluation's shorter side, in image sizes: 256 for 224

    config.optimizer = "adamw"
    config.learning_rate = 5e-4
    config.weight_decay = 0.05
    config.clip_norm = 1.0
    config.schedule = "cosine"
    config.warm_up = 0.1  # share of the run
    config.ema_decay = 0.0  # 0: none
    config.accumulate = 1
    config.loss = ""  # empty: cross_entropy, or binary_cross_entropy with several labels an image
    config.label_smoothing = 0.1
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    size = (config.image_size, config.image_size)
    shown = config.data.classes.split(",") if config.data.classes else None
    data = classification_streams(
        **{**config.data, "classes": shown and tuple(shown)},
        crop=RandomResizedCrop(size, area=(config.crop_area, 1.0)),
        flip=config.flip,
        augment=RandAugment(config.operations, config.magnitude),
        center=CenterCrop(size, round(config.resize * config.image_size)),
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=config.num_workers,
    )
    print(data.description)
    several = data.several_labels

    task = ImageClassification(
        model=models.classifier(
            config.variant, num_classes=len(data.classes), dtype=compute_dtype(config.dtype)
        ),
        class_names=data.classes,
        multi_label=several,
        mean=tuple(config.mean),
        std=tuple(config.std),
        loss_name=config.loss or ("binary_cross_entropy" if several else "cross_entropy"),
        label_smoothing=config.label_smoothing,
        mixup=config.mixup,
        cutmix=config.cutmix,
        erase=config.erase,
    )

    start_from = None
    if config.weights:
        _, weights = pretrained.load(config.variant, config.weights)
        start_from = functools.partial(pretrained.transfer, weights)

    epoch = data.train.steps_per_epoch
    total_steps = config.epochs * epoch
    learning_rate = schedule(
        config.schedule,
        config.learning_rate,
        total_steps=total_steps,
        warm_up_steps=round(config.warm_up * total_steps),
    )
    return Experiment(
        task=task,
        train_data=data.train,
        eval_data=data.val,
        optimizer=optimizer(
            config.optimizer,
            learning_rate,
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
        ),
        learning_rate=learning_rate,
        total_steps=total_steps,
        start_from=start_from,
        seed=config.seed,
        ema=warm_up_decay(config.ema_decay) if config.ema_decay else None,
        log_every=config.log_every,
        eval_every=config.eval_every or epoch,
        save_every=config.save_every or epoch,
        best="mAP" if several else "accuracy",
        patience=config.patience or None,
        image_name=data.image_name,
        figures=classification_figures,
        class_names=data.classes,
        make_step=functools.partial(make_step, accumulate=config.accumulate),
    )
