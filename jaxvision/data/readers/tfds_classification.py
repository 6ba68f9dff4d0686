"""Classification datasets prepared by TensorFlow Datasets as array_record files."""

from typing import Any

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.readers.checks import check_classes, class_index
from jaxvision.data.readers.tfds import open_records
from jaxvision.data.sources.labelled import LabelledFiles


def tfds_classification(
    path: str, split: str, *, name: str, classes: tuple[str, ...] | None = None
) -> LabelledFiles:
    """Opens a split of a prepared dataset.

    The labels are read once at the start, and TFDS reads whole records for it: for ImageNet, an
    `image_folder` starts faster. Images stay encoded and on disk until they are asked for.

    Args:
        path: TFDS's data folder.
        split: `train`, `validation[:10%]`, ...
        name: The dataset, as `cifar10`.
        classes: The classes to use, in order, instead of those of the feature `label`.

    Raises:
        DataError: If the dataset is not prepared as array_record under `path`, has no such split or
            no labels, or an image is of a class that is not in `classes`.
    """
    records, features = open_records(path, split, name)
    return labelled_records(records, features, f"{path}/{name}/{split}", classes)


def labelled_records(
    records: Any, features: Any, name: str, classes: tuple[str, ...] | None = None
) -> LabelledFiles:
    """Wraps records of the form that TFDS's classification datasets have.

    Args:
        records: Sequence of {"image": encoded bytes, "label": int}.
        features: `features["label"].names` are the classes.
        name: What to call the records in messages.
        classes: The classes to use, in order, instead of the features'.

    Raises:
        DataError: If the features lack the image or the label, or an image is of a class that is
            not in `classes`.
    """
    try:
        own = tuple(features["label"].names)
        features["image"]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name}: expected the features image and label, got {features}") from error
    names = check_classes(own if classes is None else classes, f"{name}: label")
    new = {}
    labels = np.zeros(len(records), np.int32)
    for index in range(len(records)):
        label = int(records[index]["label"])
        if not 0 <= label < len(own):
            raise DataError(f"{name}[{index}]: label must be in [0, {len(own)}), got {label}")
        if label not in new:
            new[label] = class_index(own[label], names, f"{name}[{index}]: label")
        labels[index] = new[label]
    return LabelledFiles(
        name,
        names,
        labels,
        read=lambda index: bytes(records[index]["image"]),
        image_name=lambda index: f"{name}[{index}]",
    )
