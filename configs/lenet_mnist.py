"""Gradient-Based Learning Applied to Document Recognition, LeCun et al. 1998.

http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section III.

    python train.py --config configs/lenet_mnist.py
    python train.py --config configs/lenet_mnist.py:mnist --config.data.path=DIR
    python train.py --config configs/lenet_mnist.py:modern,fashion_mnist --config.data.path=DIR

The argument names a variant (`original`, `modern`) and a source (`digits`, which are drawn and need
no download, `mnist`, `fashion_mnist`), in any order. DIR holds the IDX files. Published error on
MNIST: 0.95% without distortions. Measured on the drawn digits after five epochs, a minute on two
processor cores: 1.0% (original), 0.1% (modern).

Departs from the paper: momentum and a falling learning rate in batches of 64, in place of its
second-order method on single images; cross entropy without a rubbish class.
"""

import functools

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.pad_crop import PadCrop
from jaxvision.data.classification import classification_source
from jaxvision.data.classification_samples import (
    ClassificationEvalSample,
    ClassificationTrainSample,
)
from jaxvision.data.pipeline import EvalStream, TrainStream
from jaxvision.inference.plots import classification_figures
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.experiment import Experiment
from jaxvision.train.optim import optimizer
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import schedule

VARIANTS = {"original": "lenet5", "modern": "lenet5_modern"}
SOURCES = ("digits", "mnist", "fashion_mnist")
# Black becomes -0.1 and white 1.175, as in section II.B.
MEAN, STD = (0.1 / 1.275,), (1 / 1.275,)
# The original's logits are sums of 84 squares, which a larger rate throws far off.
LEARNING_RATE = {"original": 0.01, "modern": 0.02}


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    variant, source = "original", "digits"
    for word in filter(None, arg.split(",")):
        if word in VARIANTS:
            variant = word
        elif word in SOURCES:
            source = word
        else:
            raise ValueError(
                f"the config's argument must be of {', '.join([*VARIANTS, *SOURCES])}, got {word}"
            )

    config = ConfigDict()
    config.variant = variant
    config.image_size = 32
    config.batch_size = 64
    config.epochs = 20
    config.seed = 0
    config.dtype = "auto"  # bfloat16 on GPU and TPU, float32 on CPU

    config.log_every = 50  # steps, as the next two
    config.eval_every = 0  # 0: an epoch
    config.save_every = 0  # 0: an epoch
    config.num_workers = 2

    config.data = ConfigDict()
    config.data.source = source
    config.data.path = ""
    config.data.train = "train"
    config.data.val = "test"
    if source == "digits":
        config.data.train_images = 10_000
        config.data.val_images = 2_000
        config.epochs = 5

    config.optimizer = "momentum"
    config.learning_rate = LEARNING_RATE[variant]
    config.weight_decay = 0.0
    config.schedule = "cosine"
    config.padding = 0  # pixels of random shifts
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    size = (config.image_size, config.image_size)
    data = config.data
    if config.variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {config.variant}")
    open_split = functools.partial(classification_source, data.source, data.path)
    counts = [{"length": data[k]} if k in data else {} for k in ("train_images", "val_images")]
    train = open_split(data.train, **counts[0])
    val = open_split(data.val, classes=train.classes, **counts[1])
    print(train.describe(), val.describe(), sep="\n")

    # Digits of 28 x 28 pixels are framed to the 32 x 32 that the network wants.
    train_data = TrainStream(
        ClassificationTrainSample(train, PadCrop(size, config.padding), flip=0.0),
        len(train),
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=config.num_workers,
    )
    eval_data = EvalStream(
        ClassificationEvalSample(val, CenterCrop(size)),
        len(val),
        batch_size=config.batch_size,
        num_workers=config.num_workers,
    )

    task = ImageClassification(
        model=models.classifier(
            VARIANTS[config.variant],
            num_classes=len(train.classes),
            dtype=compute_dtype(config.dtype),
        ),
        class_names=train.classes,
        mean=MEAN,
        std=STD,
    )

    epoch = train_data.steps_per_epoch
    total_steps = config.epochs * epoch
    learning_rate = schedule(config.schedule, config.learning_rate, total_steps=total_steps)
    return Experiment(
        task=task,
        train_data=train_data,
        eval_data=eval_data,
        optimizer=optimizer(config.optimizer, learning_rate, weight_decay=config.weight_decay),
        learning_rate=learning_rate,
        total_steps=total_steps,
        seed=config.seed,
        log_every=config.log_every,
        eval_every=config.eval_every or epoch,
        save_every=config.save_every or epoch,
        best="accuracy",
        image_name=train.name,
        figures=classification_figures,
        class_names=train.classes,
    )
