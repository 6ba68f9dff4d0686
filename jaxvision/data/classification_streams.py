"""From a classification dataset to its streams of batches, the same for every classifier."""

from collections.abc import Callable
from typing import NamedTuple

from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.pad_crop import PadCrop
from jaxvision.data.augment.rand_augment import RandAugment
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop
from jaxvision.data.classification import classification_source
from jaxvision.data.classification_samples import (
    ClassificationEvalSample,
    ClassificationTrainSample,
)
from jaxvision.data.pipeline import EvalStream, TrainStream


class ClassificationStreams(NamedTuple):
    """What a run takes from a dataset.

    Attributes:
        train: Batches to learn from.
        val: Batches to measure on.
        classes: Names of the classes, of the training split and so of both.
        several_labels: Whether an image may show several classes.
        image_name: Names a training image by its index.
        description: What the two splits hold, in words.
    """

    train: TrainStream
    val: EvalStream
    classes: tuple[str, ...]
    several_labels: bool
    image_name: Callable[[int], str]
    description: str


def classification_streams(
    source: str,
    path: str,
    train: str,
    val: str,
    *,
    classes: tuple[str, ...] | None = None,
    cache_bytes: int = 0,
    crop: RandomResizedCrop | PadCrop,
    flip: float,
    augment: RandAugment | None = None,
    center: CenterCrop,
    batch_size: int,
    repeats: int = 1,
    seed: int,
    num_workers: int,
) -> ClassificationStreams:
    """Opens both splits of a dataset; a training image is cropped, mirrored, then augmented.

    Args:
        source: Format, as `classification_source` names them.
        path: Folder of the dataset.
        train: Name of the training split.
        val: Name of the split that is measured on.
        classes: The classes to use, by default the dataset's own.
        cache_bytes: Decoded images of a split are kept in memory up to so many bytes.
        crop: Gives training images one size.
        flip: Probability of a mirror image.
        augment: Changes a training image, if it is given.
        center: Gives the images that are measured on one size.
        batch_size: Examples a batch, B.
        repeats: How often a training batch shows each of its images.
        seed: Of the training stream.
        num_workers: Threads of either stream.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If a number is out of its range, or there is no such source.
    """
    learnt = classification_source(source, path, train, classes=classes, cache_bytes=cache_bytes)
    measured = classification_source(
        source, path, val, classes=learnt.classes, cache_bytes=cache_bytes
    )
    return ClassificationStreams(
        train=TrainStream(
            ClassificationTrainSample(learnt, crop, flip, augment),
            len(learnt),
            batch_size=batch_size,
            seed=seed,
            num_workers=num_workers,
            repeats=repeats,
        ),
        val=EvalStream(
            ClassificationEvalSample(measured, center),
            len(measured),
            batch_size=batch_size,
            num_workers=num_workers,
        ),
        classes=learnt.classes,
        several_labels=learnt.labels.ndim == 2,
        image_name=learnt.name,
        description=f"{learnt.describe()}\n{measured.describe()}",
    )
