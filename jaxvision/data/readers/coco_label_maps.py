"""COCO's instances as label maps."""

from jaxvision.data.errors import DataError
from jaxvision.data.readers.coco import coco
from jaxvision.data.sources.object_maps import BACKGROUND, ObjectMaps


def coco_label_maps(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> ObjectMaps:
    """Opens a split of a dataset in COCO's format, with polygons or run lengths.

    Args:
        path: As for `coco`.
        split: As for `coco`.
        classes: The classes, in order, background first; by default the dataset's own.

    Raises:
        DataError: As `coco` does, or if the first class is another one.
    """
    if classes is not None and classes[0] != BACKGROUND:
        raise DataError(f"{path}: the first class must be {BACKGROUND}, got {classes[0]}")
    return ObjectMaps(coco(path, split, classes=classes and classes[1:], masks=True))
