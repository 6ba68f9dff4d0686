"""Image classification: one class an image, or several."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.recipes import values
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train.experiment import Experiment

# What a continued run may change.
FREE = (
    *values.FREE,
    "batch_size",
    "remat",
    "data.cache_bytes",
    "data.on_error",
    "data.test_images",
)


def defaults() -> ConfigDict:
    """Returns all values, locked; those of fine-tuning on a folder of images."""
    config = values.common()
    config.variant = "resnet18"
    config.image_size = 224
    config.batch_size = 64
    config.remat = False  # whether blocks are computed again for the gradient: less memory
    config.mean = (0.485, 0.456, 0.406)  # of each channel, images in [0, 1]; one number: grey
    config.std = (0.229, 0.224, 0.225)

    config.data.source = "image_folder"  # objects:voc and the like: several labels an image
    config.data.classes = ""  # comma-separated; empty: as the data names them
    config.data.val_share = 0.0  # a part of train is val, for sets that come without one
    config.data.fold = ""  # "2/5": the second of five parts of train is val
    config.data.split_seed = 0
    config.data.on_error = "stop"  # skip: go on without unreadable images, listed every epoch
    config.data.cache_bytes = 0  # decoded images are kept in memory up to so many bytes
    # Images of each split, for `digits`; 0: its own number.
    config.data.train_images = config.data.val_images = config.data.test_images = 0

    config.augment = ConfigDict()
    config.augment.crop = "random_resized"  # or pad: a shift within a black frame
    config.augment.crop_area = 0.08  # least share of an image that random_resized shows
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

    # Of the shorter side before the centre is cut out, in image sizes: 256 for 224; 0: not resized.
    config.eval.resize = 8 / 7
    return config.lock()


def info(config: ConfigDict, train: Any) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: Source of the training images.

    Returns:
        JSON: `class_names`, `multi_label` and `class_weights`, empty for none.
    """
    raise NotImplementedError


def task(config: ConfigDict, info: Mapping[str, Any]) -> ImageClassification:
    """Builds the task; opens no file."""
    raise NotImplementedError


def eval_transform(config: ConfigDict) -> Any:
    """Returns what an image goes through before the network sees it, outside of training."""
    raise NotImplementedError


def eval_data(config: ConfigDict, info: Mapping[str, Any], split: str) -> Any:
    """Opens one split for evaluation.

    Args:
        config: The values.
        info: Of the run.
        split: `train`, `val` or `test`.
    """
    raise NotImplementedError


def experiment(config: ConfigDict, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: Of the run that is continued; by default it is computed from the training data.
    """
    raise NotImplementedError
