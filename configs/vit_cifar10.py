"""ViT for small images: Hassani et al. 2021, https://arxiv.org/abs/2104.05704, ViT-Lite-7/4.

    python train.py --config configs/vit_cifar10.py --config.data.path=DIR
    python train.py --config configs/vit_cifar10.py:short --config.data.path=DIR

Escaping the Big Data Paradigm with Compact Transformers, section 4: a ViT (Dosovitskiy et al. 2020,
https://arxiv.org/abs/2010.11929) of seven blocks of width 256 on patches of 4 pixels learns from
50,000 images alone. The authors' code reports 91.38% on CIFAR-10 after 200 epochs; not measured
here. AdamW, learning rate 5e-4 for a batch of 128, weight decay 0.03, cosine, label smoothing.

Departs from the authors: RandAugment, mixup and CutMix in place of AutoAugment's policy for CIFAR;
queries, keys and values have a bias, as other ViTs have.

`short` is a run for a processor: a smaller ViT that averages its patches, five epochs with crops
and mirror images alone. DIR holds `train.zip` and `test.zip`, or folders, of `<class>/<image>`;
`--config.data.source=cifar10` reads the authors' binary files.
"""

import functools

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.pad_crop import PadCrop
from jaxvision.data.augment.rand_augment import RandAugment
from jaxvision.data.classification_streams import classification_streams
from jaxvision.inference.plots import classification_figures
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.ema import warm_up_decay
from jaxvision.train.experiment import Experiment
from jaxvision.train.optim import optimizer
from jaxvision.train.precision import compute_dtype
from jaxvision.train.schedules import schedule
from jaxvision.train.sharding import state_sharding
from jaxvision.train.step import make_step

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def get_config(arg: str = "") -> ConfigDict:
    """Returns numbers and strings only, each of which a flag `--config.name=value` replaces."""
    if arg not in ("", "short"):
        raise ValueError(f"the config's argument must be short or nothing, got {arg}")
    config = ConfigDict()
    config.variant = "vit_ti_16"  # the family; its sizes are those below
    config.patch = 4
    config.width = 256
    config.depth = 7
    config.heads = 4
    config.mlp_ratio = 2
    config.pool = "token"  # or gap, the mean of the patches
    config.stochastic_depth = 0.1
    config.remat = False  # whether blocks are computed anew for the gradient: less memory
    config.accumulate = 1  # parts of a batch that are computed one after another
    config.sharding = "replicated"  # or fsdp: each device holds a part of the state
    config.image_size = 32
    config.batch_size = 128
    config.epochs = 200
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

    config.padding = 4
    config.flip = 0.5
    config.operations = 2  # of RandAugment, an image
    config.magnitude = 9
    config.mixup = 0.8
    config.cutmix = 1.0
    config.label_smoothing = 0.1
    config.optimizer = "adamw"
    config.learning_rate = 5e-4
    config.weight_decay = 0.03
    config.clip_norm = 1.0
    config.schedule = "cosine"
    config.warm_up_epochs = 10.0
    config.ema_decay = 0.0  # 0: none
    if arg == "short":
        config.width, config.depth, config.pool, config.stochastic_depth = 128, 4, "gap", 0.0
        config.epochs, config.batch_size = 5, 64
        config.learning_rate = 1e-3
        config.warm_up_epochs = 0.5
        config.padding = 2  # a few epochs do not need much
        config.operations, config.mixup, config.cutmix, config.label_smoothing = 0, 0.0, 0.0, 0.0
    return config


def build(config: ConfigDict) -> Experiment:
    """Wires the experiment, in the order in which data flows."""
    size = (config.image_size, config.image_size)
    data = classification_streams(
        **config.data,
        crop=PadCrop(size, config.padding),
        flip=config.flip,
        augment=RandAugment(config.operations, config.magnitude) if config.operations else None,
        center=CenterCrop(size),
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=config.num_workers,
    )
    print(data.description)

    task = ImageClassification(
        model=models.classifier(
            config.variant,
            num_classes=len(data.classes),
            image_size=config.image_size,
            patch=config.patch,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            pool=config.pool,
            drop_path=config.stochastic_depth,
            remat=config.remat,
            dtype=compute_dtype(config.dtype),
        ),
        class_names=data.classes,
        mean=MEAN,
        std=STD,
        label_smoothing=config.label_smoothing,
        mixup=config.mixup,
        cutmix=config.cutmix,
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
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
        ),
        learning_rate=learning_rate,
        total_steps=total_steps,
        seed=config.seed,
        ema=warm_up_decay(config.ema_decay) if config.ema_decay else None,
        state_sharding=state_sharding(config.sharding),
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
