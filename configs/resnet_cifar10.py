"""Deep Residual Learning for Image Recognition, He et al. 2015, https://arxiv.org/abs/1512.03385.

    python train.py --config configs/resnet_cifar10.py --config.data.path=DIR
    python train.py --config configs/resnet_cifar10.py:resnet56 --config.data.path=DIR
    python train.py --config configs/resnet_cifar10.py:short --config.data.path=DIR

The recipe of section 4.2: SGD with momentum 0.9, weight decay 1e-4, batch 128, learning rate 0.1,
divided by 10 at half and three quarters of 64,000 steps, crops of images padded by 4, mirror
images. Published errors (table 6): 8.75% for resnet20, 7.51% for 32, 7.17% for 44, 6.97% for 56,
6.43% for 110.

Departs from the paper: the mean and standard deviation of each channel in place of the mean of each
pixel; biases and normalisation are not decayed; the paper warms resnet110 up at a constant rate of
0.01, here the rate rises through an epoch; 164 epochs are 63,960 steps.

`short` is a run for a processor: four epochs of one cycle. DIR holds `train.zip` and `test.zip`, or
folders, of `<class>/<image>`; `--config.data.source=cifar10` reads the authors' binary files.
"""

import functools

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.pad_crop import PadCrop
from jaxvision.data.classification_streams import classification_streams
from jaxvision.inference.plots import classification_figures
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.experiment import Experiment
from jaxvision.train.optim import optimizer
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import schedule
from jaxvision.train.step import make_step

VARIANTS = ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    variant, short = "resnet20", False
    for word in filter(None, arg.split(",")):
        if word in VARIANTS:
            variant = word
        elif word == "short":
            short = True
        else:
            raise ValueError(
                f"the config's argument must be of {', '.join(VARIANTS)}, short, got {word}"
            )

    config = ConfigDict()
    config.variant = variant
    config.image_size = 32
    config.batch_size = 128
    config.epochs = 164  # 64,000 steps
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU

    config.log_every = 50  # steps, as the next two
    config.eval_every = 0  # 0: an epoch
    config.save_every = 0  # 0: an epoch
    config.num_workers = 2
    config.patience = 0  # epochs without a better accuracy after which a run ends; 0: none

    config.data = ConfigDict()
    config.data.source = "image_folder"
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "test"
    config.data.cache_bytes = 200_000_000  # all images, decoded

    config.optimizer = "momentum"
    config.learning_rate = 0.1
    config.momentum = 0.9
    config.weight_decay = 1e-4
    config.schedule = "step"
    config.warm_up_epochs = 1.0 if variant == "resnet110" else 0.0
    config.accumulate = 1
    config.label_smoothing = 0.0
    config.padding = 4
    config.flip = 0.5
    if short:
        config.epochs = 4
        config.schedule = "one_cycle"
        config.learning_rate = 0.2
        config.warm_up_epochs = 0.0
        config.weight_decay = 5e-4
        config.padding = 2  # a few epochs do not need much
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    size = (config.image_size, config.image_size)
    data = classification_streams(
        **config.data,
        crop=PadCrop(size, config.padding),
        flip=config.flip,
        center=CenterCrop(size),
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=config.num_workers,
    )
    print(data.description)

    task = ImageClassification(
        model=models.classifier(
            f"{config.variant}_cifar",
            num_classes=len(data.classes),
            dtype=compute_dtype(config.dtype),
        ),
        class_names=data.classes,
        mean=MEAN,
        std=STD,
        label_smoothing=config.label_smoothing,
    )

    epoch = data.train.steps_per_epoch
    total_steps = config.epochs * epoch
    learning_rate = schedule(
        config.schedule,
        config.learning_rate,
        total_steps=total_steps,
        warm_up_steps=round(config.warm_up_epochs * epoch),
    )
    return Experiment(
        task=task,
        train_data=data.train,
        eval_data=data.val,
        optimizer=optimizer(
            config.optimizer,
            learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        ),
        learning_rate=learning_rate,
        total_steps=total_steps,
        seed=config.seed,
        log_every=config.log_every,
        eval_every=config.eval_every or epoch,
        save_every=config.save_every or epoch,
        best="accuracy",
        patience=config.patience or None,
        image_name=data.image_name,
        figures=classification_figures,
        class_names=data.classes,
        make_step=functools.partial(make_step, accumulate=config.accumulate),
    )
