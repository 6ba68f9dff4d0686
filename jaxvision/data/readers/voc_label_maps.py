"""Pascal VOC's label maps: `SegmentationClass`, palette PNG files with 255 between objects.

http://host.robots.ox.ac.uk/pascal/VOC/
"""

import os

from jaxvision.data.errors import DataError
from jaxvision.data.label_map import class_table
from jaxvision.data.readers.checks import check_file_name, check_files_exist, read_text
from jaxvision.data.sources.label_maps import LabelMapFiles

CLASSES = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)


def voc_label_maps(
    path: str, split: str, *, classes: tuple[str, ...] | None = None
) -> LabelMapFiles:
    """Opens a split of `ImageSets/Segmentation`.

    Args:
        path: Folder with `ImageSets`, `JPEGImages` and `SegmentationClass`.
        split: `train`, `val` or `trainval`.
        classes: Other classes than VOC's, with the background first.

    Raises:
        DataError: If a file is missing.
    """
    file = os.path.join(path, "ImageSets", "Segmentation", f"{split}.txt")
    lines = filter(None, map(str.strip, read_text(file, "list of the split").splitlines()))
    members = [check_file_name(line, f"{file}: a name of an image") for line in lines]
    images = [os.path.join(path, "JPEGImages", f"{member}.jpg") for member in members]
    masks = [os.path.join(path, "SegmentationClass", f"{member}.png") for member in members]
    check_files_exist("", images, file)
    for mask in masks:
        if not os.path.exists(mask):
            raise DataError(
                f"{mask}: the label map is missing, but {file} names it", code="missing-mask"
            )
    names = CLASSES if classes is None else classes
    return LabelMapFiles(f"{path}/{split}", images, masks, names, class_table(len(names)))
