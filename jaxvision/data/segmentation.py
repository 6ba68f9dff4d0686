"""Opens segmentation datasets by the name of their format."""

from collections.abc import Callable
from typing import Any

from jaxvision.data.errors import DataError
from jaxvision.data.readers.cityscapes import cityscapes
from jaxvision.data.readers.coco_label_maps import coco_label_maps
from jaxvision.data.readers.label_map_folder import camvid, label_map_folder
from jaxvision.data.readers.named import open_named
from jaxvision.data.readers.voc_label_maps import voc_label_maps
from jaxvision.data.source import Source
from jaxvision.data.sources.cached import cached
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.packed import packed
from jaxvision.data.sources.shape_maps import ShapeMaps

READERS: dict[str, Callable[..., Source]] = {
    "folder": label_map_folder,
    "camvid": camvid,
    "voc": voc_label_maps,
    "cityscapes": cityscapes,
    "coco": coco_label_maps,
    "packed": packed,
}
# What these formats are called where other problems have formats of the same names.
LABEL_MAPS = {
    "masks": "folder",
    "camvid": "camvid",
    "voc_masks": "voc",
    "cityscapes": "cityscapes",
    "coco_masks": "coco",
}


def segmentation_source(
    source: str,
    path: str | None,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    cache_bytes: int = 0,
    **options: Any,
) -> Source:
    """Opens one split of a dataset whose images have a class for every pixel.

    Args:
        source: `shapes`, `folder`, `camvid`, `voc`, `cityscapes`, `coco` or `packed`.
        path: Folder of the dataset; None or empty for `shapes`.
        split: Name of the split, as the format has it; see the readers.
        classes: The classes, in order: those of the training split when reading another one.
        cache_bytes: Up to this many bytes of decoded images and label maps are kept in memory;
            367 of 480 x 360 pixels take 250 MB.
        **options: Further options of a source: `length`, `image_size` and `seed` of shapes.

    Returns:
        The examples; images and label maps are checked when they are read.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If `source` is unknown, or `cache_bytes` is negative.
    """
    if source == "shapes":
        check_no_path(source, path)
        return cached(ShapeMaps(split=split, classes=classes, **options), cache_bytes)
    options["classes"] = classes
    first = dict(first=("shapes",))
    return cached(
        open_named(source, path, split, READERS, _no_records, **first, **options), cache_bytes
    )


def _no_records(*arguments: Any, **options: Any) -> Source:
    del arguments, options
    raise DataError("data.source=tfds:<name> is not read for segmentation; use folder")
