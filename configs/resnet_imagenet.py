"""Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, Goyal et al. 2017, on ResNet.

https://arxiv.org/abs/1706.02677; the network: He et al. 2015, https://arxiv.org/abs/1512.03385.

    python train.py --config configs/resnet_imagenet.py --config.data.path=DIR
    python train.py --config configs/resnet_imagenet.py:resnet101 --config.data.path=DIR

The argument names a variant of ResNet, ResNeXt or SE-ResNet. DIR holds `train/<synset>/<image>` and
`val/<synset>/<image>`, or zip archives of them. Published top-1 accuracy of resnet50 after 90
epochs: 76.3% (section 5.1, batch 256); not measured here.

The recipe: batch 1024, learning rate 0.4 (0.1 for 256 images), five epochs of warm-up, divided by
10 after 30, 60 and 80 epochs, Nesterov momentum 0.9, weight decay 1e-4. Departs from the paper:
statistics of normalisation are over the whole batch, not the 32 images of a worker; no colour
jitter; the last normalisation of a block starts as the model has it.
"""

import functools

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop
from jaxvision.data.classification_streams import classification_streams
from jaxvision.inference.plots import classification_figures
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.experiment import Experiment
from jaxvision.train.optim import optimizer
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import schedule
from jaxvision.train.step import make_step


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    config = ConfigDict()
    config.variant = arg or "resnet50"
    config.image_size = 224
    config.batch_size = 1024
    config.epochs = 90
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
    config.optimizer = "nesterov"
    config.learning_rate = 0.4
    config.momentum = 0.9
    config.weight_decay = 1e-4
    config.schedule = "step"
    config.boundaries = (30 / 90, 60 / 90, 80 / 90)  # shares of the run
    config.warm_up_epochs = 5.0
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
    )

    epoch = data.train.steps_per_epoch
    total_steps = config.epochs * epoch
    learning_rate = schedule(
        config.schedule,
        config.learning_rate,
        total_steps=total_steps,
        warm_up_steps=round(config.warm_up_epochs * epoch),
        boundaries=config.boundaries,
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
        save_every=config.save_every or 1000,
        best="accuracy",
        image_name=data.image_name,
        figures=classification_figures,
        class_names=data.classes,
        make_step=functools.partial(make_step, accumulate=config.accumulate),
    )
