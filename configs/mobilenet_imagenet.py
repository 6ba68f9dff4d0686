"""Searching for MobileNetV3, Howard et al. 2019, https://arxiv.org/abs/1905.02244.

    python train.py --config configs/mobilenet_imagenet.py --config.data.path=DIR
    python train.py --config configs/mobilenet_imagenet.py:mobilenet_v3_small --config.data.path=DIR

The argument names a variant. DIR holds `train/<synset>/<image>` and `val/<synset>/<image>`, or zip
archives of them. Published top-1 accuracy: large 75.2%, small 67.4% (table 3 of the paper); with
torchvision's recipe, which this is after, 74.0% and 67.7%; not measured here.

The recipe: batch 1024, RMSProp with momentum 0.9, learning rate 0.064, times 0.973 every two of 600
epochs, weight decay 1e-5, RandAugment, random erasing of one image in five. Departs from the
recipe: RandAugment in place of AutoAugment's ImageNet policy; the average of the weights has the
paper's decay of 0.9999 with a warm-up; kernels alone decay.
"""

import functools

from ml_collections import ConfigDict

from jaxvision import models
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
    config.variant = arg or "mobilenet_v3_large"
    config.image_size = 224
    config.batch_size = 1024
    config.epochs = 600
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU

    config.log_every = 50  # steps, as the next two
    config.eval_every = 0  # 0: an epoch
    config.save_every = 0  # 0: 1,000 steps
    config.num_workers = 16

    config.data = ConfigDict()
    config.data.source = "image_folder"
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "val"

    config.resize = 256  # an evaluation's shorter side
    config.flip = 0.5
    config.operations = 2  # of RandAugment, an image
    config.magnitude = 9
    config.erase = 0.2
    config.optimizer = "rmsprop"
    config.learning_rate = 0.064
    config.momentum = 0.9
    config.epsilon = 0.0316
    config.weight_decay = 1e-5
    config.schedule = "exponential"
    config.factor = 0.973
    config.period_epochs = 2.0
    config.ema_decay = 0.9999
    config.accumulate = 1
    config.label_smoothing = 0.0
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    size = (config.image_size, config.image_size)
    data = classification_streams(
        **config.data,
        crop=RandomResizedCrop(size),
        flip=config.flip,
        augment=RandAugment(config.operations, config.magnitude),
        center=CenterCrop(size, config.resize),
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=config.num_workers,
    )
    print(data.description)

    task = ImageClassification(
        model=models.classifier(
            config.variant,
            num_classes=len(data.classes),
            dtype=compute_dtype(config.dtype),
        ),
        class_names=data.classes,
        label_smoothing=config.label_smoothing,
        erase=config.erase,
    )

    epoch = data.train.steps_per_epoch
    total_steps = config.epochs * epoch
    learning_rate = schedule(
        config.schedule,
        config.learning_rate,
        total_steps=total_steps,
        factor=config.factor,
        period=max(1, round(config.period_epochs * epoch)),
    )
    return Experiment(
        task=task,
        train_data=data.train,
        eval_data=data.val,
        optimizer=optimizer(
            config.optimizer,
            learning_rate,
            momentum=config.momentum,
            epsilon=config.epsilon,
            weight_decay=config.weight_decay,
        ),
        learning_rate=learning_rate,
        total_steps=total_steps,
        seed=config.seed,
        ema=warm_up_decay(config.ema_decay),
        log_every=config.log_every,
        eval_every=config.eval_every or epoch,
        save_every=config.save_every or 1000,
        best="accuracy",
        image_name=data.image_name,
        figures=classification_figures,
        class_names=data.classes,
        make_step=functools.partial(make_step, accumulate=config.accumulate),
    )
