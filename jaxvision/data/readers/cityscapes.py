"""Cityscapes' layout: `leftImg8bit/<split>/<city>` and `gtFine/<split>/<city>`.

https://www.cityscapes-dataset.com; the nineteen classes that are evaluated, numbered as in
https://github.com/mcordts/cityscapesScripts, `labels.py` (trainId). Files of labelIds and of
labelTrainIds are read.
"""

import os

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.label_map import class_table
from jaxvision.data.readers.checks import list_folder
from jaxvision.data.sample import VOID
from jaxvision.data.sources.label_maps import LabelMapFiles

# In the order of their trainId, with their labelId.
CLASSES = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
_LABEL_IDS = 34
_IMAGE, _KINDS = "_leftImg8bit.png", ("_gtFine_labelTrainIds.png", "_gtFine_labelIds.png")


def cityscapes(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelMapFiles:
    """Opens a split.

    Args:
        path: Folder with `leftImg8bit` and `gtFine`.
        split: `train` or `val`.
        classes: None, or those of Cityscapes.

    Raises:
        DataError: If an image has no label map, or other classes are asked for.
    """
    if classes is not None and tuple(classes) != tuple(CLASSES):
        raise DataError(f"{path}: the classes must be {', '.join(CLASSES)}, got {classes}")
    root, truth = os.path.join(path, "leftImg8bit", split), os.path.join(path, "gtFine", split)
    stems = [
        f"{city}/{name.removesuffix(_IMAGE)}"
        for city in list_folder(root, "cities")
        if os.path.isdir(os.path.join(root, city))
        for name in list_folder(os.path.join(root, city), "images")
        if name.endswith(_IMAGE)
    ]
    images = [os.path.join(root, f"{stem}{_IMAGE}") for stem in stems]
    found = [
        (sum(os.path.exists(f"{truth}/{stem}{kind}") for stem in stems), kind) for kind in _KINDS
    ]
    kind = max(found, key=lambda each: each[0])[1]
    masks = [os.path.join(truth, f"{stem}{kind}") for stem in stems]
    for image, mask in zip(images, masks, strict=True):
        if not os.path.exists(mask):
            raise DataError(f"{image}: its label map {mask} is missing", code="missing-mask")
    table = class_table(len(CLASSES))
    if kind == _KINDS[1]:
        table = np.full(256, -1, np.int16)
        table[:_LABEL_IDS] = VOID  # what is not evaluated
        table[VOID] = VOID
        table[list(CLASSES.values())] = np.arange(len(CLASSES))
    return LabelMapFiles(f"{path}/{split}", images, masks, tuple(CLASSES), table)
