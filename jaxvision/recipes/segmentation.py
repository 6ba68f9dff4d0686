"""Semantic segmentation: a class for every pixel."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.border_weights import BorderWeights
from jaxvision.data.pixel_frequency import frequency_weights
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.segmentation import segmentation_source
from jaxvision.data.segmentation_examples import (
    SegmentationEvalExample,
    segmentation_train_example,
)
from jaxvision.data.source import Source
from jaxvision.data.splits import open_split
from jaxvision.data.stream import Stream
from jaxvision.models.segmentation import unet
from jaxvision.ops import ranges
from jaxvision.plots.segmentation import segmentation_report
from jaxvision.recipes import image_splits, values, wiring
from jaxvision.recipes.values import Config
from jaxvision.recipes.words import words
from jaxvision.tasks.segmentation import SemanticSegmentation
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# Words of a config's argument: the format of the data.
SOURCES = ("shapes", "folder", "camvid", "voc", "cityscapes", "coco", "packed")

# What a continued run may change.
FREE = (
    *image_splits.FREE,
    "batch_size",
)


def defaults() -> Config:
    """Returns all values, locked; those of a small U-Net on drawn shapes."""
    config = image_splits.defaults()
    config.variant = "unet_small"
    config.backbone = ""  # of backbone_unet: a name of models.variants()
    config.image_size = (128, 128)  # height and width
    config.batch_size = 8
    config.mean = (0.485, 0.456, 0.406)  # of each channel, images in [0, 1]; one number: grey
    config.std = (0.229, 0.224, 0.225)

    config.data.source = "shapes"

    # Whether metrics are of the label maps' own sizes, to which the probabilities are interpolated,
    # as published values are; or else of image_size.
    config.eval.full_size = True

    config.augment = ConfigDict()
    # Least and largest scale of an image; 1: it just fits into the input.
    config.augment.scale = (0.5, 2.0)
    # Whether each image is one object, cut out of a larger one, and the rest background.
    config.augment.objects = False
    config.augment.flip = 0.5
    config.augment.vertical_flip = 0.0
    config.augment.jitter = 0.0  # range of brightness, contrast and saturation
    config.augment.elastic = 0.0  # standard deviation of displacements, pixels of the input
    config.augment.elastic_spacing = 32  # pixels of the input between points that are displaced

    config.loss = ConfigDict()
    # Factors of the three terms.
    config.loss.cross_entropy = 1.0
    config.loss.dice = 0.0
    config.loss.focal = 0.0
    config.loss.gamma = 2.0  # of the focal loss
    config.loss.smooth = 1.0  # of the Dice loss
    config.loss.class_weights = ""  # median_frequency, or sqrt_median_frequency of the train split
    config.loss.auxiliary_weight = 0.5  # of auxiliary heads, where the network has any
    # Additional weight of the pixels between two objects that touch (U-Net, equation 2), and the
    # distance in pixels at which it falls.
    config.loss.border_weight = 0.0
    config.loss.border_sigma = 5.0
    return values.locked(config)


def parse(arg: str, **choices: Any) -> tuple[str, ...]:
    """Reads a config's argument: `choices` as `words` takes them, then a source."""
    return words(arg, **choices, source=SOURCES)


def from_source(config: Config, source: str) -> None:
    """Sets what depends on the data.

    Args:
        config: The values.
        source: One of `SOURCES`; `shapes` and `camvid` are learned from scratch on a CPU.
    """
    config.data.source = source
    config.schedule.warmup = 0.05
    if source == "shapes":
        config.update(image_size=(96, 96), batch_size=8, epochs=10)
        config.data.update(train_images=800, val_images=100, cache_bytes=100_000_000)  # all
        config.augment.scale = (0.8, 1.25)
        config.ema.update(decay=0.99, warmup=50)
        config.eval.epochs = 2
    elif source == "camvid":
        config.update(image_size=(180, 240), batch_size=8, epochs=30)
        config.data.cache_bytes = 300_000_000  # all images, decoded
        config.loss.class_weights = "sqrt_median_frequency"
        config.augment.update(scale=(0.8, 1.6), jitter=0.2)
        config.ema.update(decay=0.995, warmup=100)
        config.eval.epochs = 5
    elif source == "cityscapes":
        config.image_size = (512, 1024)
    else:
        config.image_size = (320, 320)


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training images.

    Returns:
        JSON: `class_names`, `class_weights`, empty for none, and `train_images`, their number.
    """
    rule = config.loss.class_weights
    return dict(
        class_names=list(train.classes),
        class_weights=frequency_weights(train, rule).tolist() if rule else [],
        train_images=len(train),
    )


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> SemanticSegmentation:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    options = wiring.keywords(config.loss, "class_weights", "border_weight", "border_sigma")
    return SemanticSegmentation(
        model=_model(config, len(info["class_names"])),
        class_names=tuple(info["class_names"]),
        mean=tuple(config.mean),
        std=tuple(config.std),
        class_weights=tuple(info["class_weights"]),
        full_size=_full_size(config),
        **options,
    )


def _model(config: Config, num_classes: int) -> Any:
    dtype = compute_dtype(config.dtype)
    fields: dict[str, Any] = dict(num_classes=num_classes, dtype=dtype)
    if config.backbone:
        fields["backbone"] = models.backbone(config.backbone, dtype=dtype)
    if not unet.VARIANTS.get(config.variant, {}).get("padded", True):
        fields["mirror"] = True
    return wiring.network(models.segmenter, config, **fields)


def eval_transform(config: Config) -> Letterbox:
    """Returns what an image goes through outside of training.

    Raises:
        ValueError: If `image_size` is not two positive numbers.
    """
    return Letterbox(image_splits.image_size(config))


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
    return _eval_stream(config, open_split(segmentation_source, split, **options))


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    train, val = image_splits.open_splits(
        segmentation_source, config, info, **_source_options(config)
    )
    new_run = info is None
    info = _info(config, train) if info is None else info
    print(train.describe(), val.describe(), sep="\n")

    train_data = _train_stream(config, train)
    eval_sets = {"val": EvalSet(_eval_stream(config, val))}
    if config.data.test:
        eval_sets["test"] = EvalSet(eval_data(config, info, "test"), at_end=True)

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=task(config, info),
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(
            config,
            config.backbone or config.variant,
            part="backbone" if config.backbone else "",
            now=new_run,
        ),
        best=Best("val/mIoU"),
        report=segmentation_report,
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _full_size(config: Config) -> bool:
    # Runs of older versions were measured at the input's size.
    return config.eval.get("full_size", False)


def _source_options(config: Config) -> dict[str, Any]:
    """Returns the keywords of `segmentation_source` for the format."""
    size = image_splits.image_size(config)
    return {"image_size": max(size)} if config.data.source == "shapes" else {}


def _train_stream(config: Config, source: Source) -> Stream:
    weight, sigma = config.loss.border_weight, config.loss.border_sigma
    ranges.check(config, "[0, inf)", "loss.border_weight")
    ranges.check(config, "(0, inf)", "loss.border_sigma")
    border = BorderWeights(weight, sigma) if weight else None
    options = wiring.keywords(config.augment)
    return Stream(
        Shuffled(len(source), config.batch_size),
        segmentation_train_example(
            source, image_splits.image_size(config), border=border, **options
        ),
        seed=config.seed,
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )


def _eval_stream(config: Config, source: Source) -> Stream:
    return Stream(
        InOrder(len(source), config.eval.batch_size or config.batch_size),
        SegmentationEvalExample(source, eval_transform(config).size, _full_size(config)),
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )
