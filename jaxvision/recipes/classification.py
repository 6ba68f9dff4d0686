"""Image classification: one class an image, or several."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.balance import class_weights, image_weights
from jaxvision.data.classification import CLIPS, classification_source
from jaxvision.data.classification_examples import (
    classification_eval_example,
    classification_train_example,
)
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.source import Source
from jaxvision.data.splits import open_split
from jaxvision.data.stream import Stream
from jaxvision.models.backbones import vit
from jaxvision.ops import ranges
from jaxvision.plots.classification import classification_report
from jaxvision.recipes import image_splits, teacher, values, wiring
from jaxvision.recipes.pretraining import pretraining
from jaxvision.recipes.values import Config
from jaxvision.recipes.whitening import whitening
from jaxvision.tasks.classification import (
    TEACHER,
    WHITENING,
    ZCA,
    Distillation,
    ImageClassification,
)
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = (
    *image_splits.FREE,
    "batch_size",
    "remat",
)


def defaults() -> Config:
    """Returns all values, locked; those of fine-tuning on a folder of images."""
    config = image_splits.defaults()
    config.variant = "resnet18"
    config.image_size = 224
    config.batch_size = 64
    config.remat = False  # whether blocks are computed again for the gradient: less memory
    config.mean = (0.485, 0.456, 0.406)  # of each channel, images in [0, 1]; one number: grey
    config.std = (0.229, 0.224, 0.225)
    # Of each image, before mean and std: min_max, contrast; zca: contrast, then whitening by the
    # training images; empty: none.
    config.normalise = ""
    config.zca_epsilon = 0.1  # added to the variances that zca divides by
    config.initial = ""  # orthogonal: kernels that start so; empty: the network's own values

    config.data.source = "image_folder"  # objects:voc and the like: several labels an image
    config.data.balance = ""  # repeat or inverse: draws images of rare classes more often
    config.data.frames = 0  # of a clip, for `motions` and `video_folder`; 0: the source's own

    config.augment = ConfigDict()
    config.augment.crop = "resized"  # a part of random size; or pad: a shift within a black frame
    config.augment.crop_area = 0.08  # least share of an image that a resized crop shows
    config.augment.padding = 4  # pixels of the frame
    config.augment.flip = 0.5
    config.augment.operations = 0  # of RandAugment, an image
    config.augment.magnitude = 9.0  # of 30
    config.augment.deviation = 0.0  # of the magnitude
    config.augment.probability = 1.0  # of each operation
    config.augment.fill = 0  # grey value of what an operation leaves empty
    config.augment.erase = 0.0
    config.augment.mixup = 0.0
    config.augment.cutmix = 0.0
    config.augment.repeats = 1  # of an image in a batch

    config.loss = ConfigDict()
    config.loss.name = ""  # empty: cross_entropy, or binary_cross_entropy with several labels
    config.loss.label_smoothing = 0.0
    config.loss.class_weights = ""  # inverse or effective, by the training split's frequencies
    config.loss.auxiliary_weight = 0.3  # of auxiliary heads, where the network has any

    config.distillation = ConfigDict()
    # A classifier of the same classes, named as in `weights`, whose outputs are learned, too.
    config.distillation.teacher = ""
    config.distillation.variant = ""  # its network, where the teacher is not a run's folder
    config.distillation.temperature = 2.0
    config.distillation.weight = 0.7  # share of the teacher's targets in the loss

    config.pretrain = ConfigDict()
    # Updates of each restricted Boltzmann machine, from which mlp_sigmoid starts; 0: none.
    config.pretrain.steps = 0
    config.pretrain.gibbs_steps = 1  # of contrastive divergence
    config.pretrain.learning_rate = 0.1
    config.pretrain.momentum = 0.5

    # Of the shorter side before the centre is cut out, in image sizes: 256 for 224; 0: not resized.
    config.eval.resize = 8 / 7
    return values.locked(config)


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training images.

    Returns:
        JSON: `class_names`, `multi_label`, `class_weights`, empty for none, and `train_images`,
        their number.
    """
    rule = config.loss.class_weights
    return dict(
        class_names=list(train.classes),
        multi_label=train.labels is not None and train.labels.ndim == 2,
        class_weights=class_weights(train, rule).tolist() if rule else [],
        train_images=len(train),
    )


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> ImageClassification:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    multi_label = info["multi_label"]
    return ImageClassification(
        model=_model(config, len(info["class_names"])),
        class_names=tuple(info["class_names"]),
        multi_label=multi_label,
        mean=tuple(config.mean),
        std=tuple(config.std),
        loss_name=config.loss.name or ("binary_cross_entropy" if multi_label else "cross_entropy"),
        label_smoothing=config.loss.label_smoothing,
        class_weights=tuple(info["class_weights"]),
        auxiliary_weight=config.loss.auxiliary_weight,
        mixup=config.augment.mixup,
        cutmix=config.augment.cutmix,
        erase=config.augment.erase,
        # Runs of before these values have none of them.
        normalise=config.get("normalise", ""),
        initial=config.get("initial", ""),
    )


def _model(config: Config, num_classes: int) -> Any:
    fields = dict(num_classes=num_classes, dtype=compute_dtype(config.dtype))
    if config.variant in vit.VARIANTS:  # its positions are of one image size
        fields["image_size"] = config.image_size
    if config.remat:
        fields["remat"] = True
    return wiring.network(models.classifier, config, **fields)


def eval_transform(config: Config) -> CenterCrop:
    """Returns what an image goes through outside of training.

    Raises:
        ValueError: If a value is out of its range.
    """
    return CenterCrop((config.image_size, config.image_size), _resize(config))


def clip_frames(config: Config) -> int:
    """Returns the number of frames that the network of a run sees; 0 for images."""
    return config.data.frames or CLIPS.get(config.data.source, 0)


def _resize(config: Config) -> int | None:
    """Returns the length of the shorter side in pixels before the centre is cut out."""
    ranges.check(config, "[1, 65_536]", "image_size")
    ranges.check(config, "[0, 16]", "eval.resize")
    return round(config.eval.resize * config.image_size) or None


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation, its classes in the order of `info`.

    Args:
        config: The values.
        info: What `info` returned for the training data.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split.
    """
    options = image_splits.options(config, info, split) | _source_options(config)
    return _eval_stream(config, open_split(classification_source, split, **options))


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    train, val = image_splits.open_splits(
        classification_source, config, info, **_source_options(config)
    )
    new_run = info is None
    info = _info(config, train) if info is None else info
    print(train.describe(), val.describe(), sep="\n")

    train_data = _train_stream(config, train)
    eval_sets = {"val": EvalSet(_eval_stream(config, val))}
    if config.data.test:
        eval_sets["test"] = EvalSet(eval_data(config, info, "test"), at_end=True)

    own, constants = _with_teacher(config, info)
    start = pretraining(config, train, own.model, _resize(config))
    if not start or config.weights:
        start = wiring.init_from(config, config.variant, now=new_run)
    start += whitening(config, train, own, _resize(config))
    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=own,
        constants=constants,
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=start,
        collections={WHITENING: "copy"} if config.normalise == ZCA else {},
        best=Best("val/mAP" if info["multi_label"] else "val/accuracy"),
        report=classification_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _source_options(config: Config) -> dict[str, Any]:
    """Returns the keywords of `classification_source` for clips, which only their sources have."""
    ranges.check(config, "[0, 1_024]", "data.frames")
    return {"frames": config.data.frames} if config.data.frames else {}


def _with_teacher(
    config: Config, info: Mapping[str, Any]
) -> tuple[ImageClassification, dict[str, Any]]:
    """Returns the task of training and its constants; a loaded run needs no teacher."""
    own, values = task(config, info), config.distillation
    ranges.check(config, "(0, inf)", "distillation.temperature")
    ranges.check(config, "[0, 1]", "distillation.weight")
    if not values.teacher:
        return own, {}
    found = teacher.read_teacher(config, info, _model)
    distillation = Distillation(found.model, values.temperature, values.weight)
    return dataclasses.replace(own, distillation=distillation), {TEACHER: dict(found.variables)}


def _train_stream(config: Config, source: Source) -> Stream:
    # Erasing and mixing are the task's: they run on the device.
    options = wiring.keywords(config.augment, "repeats", "erase", "mixup", "cutmix")
    ranges.check(config, "(0, 1]", "augment.crop_area")
    options["crop_area"] = (config.augment.crop_area, 1.0)
    size = (config.image_size, config.image_size)
    weights = image_weights(source, config.data.balance) if config.data.balance else None
    return Stream(
        Shuffled(len(source), config.batch_size, weights, repeats=config.augment.repeats),
        classification_train_example(source, size, **options),
        seed=config.seed,
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )


def _eval_stream(config: Config, source: Source) -> Stream:
    size = (config.image_size, config.image_size)
    return Stream(
        InOrder(len(source), config.eval.batch_size or config.batch_size),
        classification_eval_example(source, size, resize=_resize(config)),
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )
