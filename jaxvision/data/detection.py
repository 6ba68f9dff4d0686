"""Opens detection datasets by the name of their format."""

from collections.abc import Callable
from typing import Any

from jaxvision.data.errors import DataError, OnFault, stop
from jaxvision.data.readers.coco import coco
from jaxvision.data.readers.csv import csv
from jaxvision.data.readers.named import open_named
from jaxvision.data.readers.tfds import detection_records
from jaxvision.data.readers.voc import voc
from jaxvision.data.readers.yolo import yolo
from jaxvision.data.source import Source
from jaxvision.data.sources.cached import cached
from jaxvision.data.sources.drawn import check_no_path
from jaxvision.data.sources.packed import packed
from jaxvision.data.sources.proposed import Proposed
from jaxvision.data.sources.shapes import Shapes

READERS: dict[str, Callable[..., Source]] = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "csv": csv,
    "packed": packed,
}


def detection_source(
    source: str,
    path: str | None,
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
    on_fault: OnFault = stop,
    cache_bytes: int = 0,
    proposals: str = "",
    **options: Any,
) -> Source:
    """Opens one split of a detection dataset.

    Args:
        source: `shapes`, `coco`, `voc`, `yolo`, `csv`, `packed` or `tfds:<name>`, as
            `tfds:voc/2007`.
        path: Folder of the dataset; None or empty for `shapes`.
        split: Name of the split, or a file, as the format has it; see the readers.
        classes: The classes to use, in order: those of the training split when reading another one.
            An object of any other class is an error. By default the dataset's own.
        strict: Treats boxes outside their image and boxes without extent as errors, instead of
            clipping and dropping them.
        on_fault: Called with each error after which reading can go on; if it returns, the faulty
            part is dropped. By default the first one is raised. Other errors are always raised.
        cache_bytes: Up to this many bytes of decoded images are kept in memory; 1,000 of 640 x 640
            pixels take 1.2 GB.
        proposals: `selective_search` finds regions of interest in each image, once; by default
            samples have those that the data has.
        **options: Further options of a source: `length`, `image_size`, `seed`, `masks` and
            `label_map` of shapes, `images` and `masks` of coco, `masks` of yolo, `images` of csv,
            `ignore_difficult` of voc.

    Returns:
        The examples, checked as far as that goes without reading the images.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If `source` or `proposals` is unknown, or `cache_bytes` is negative.
    """
    if proposals not in ("", "selective_search"):
        raise ValueError(f"proposals must be empty or selective_search, got {proposals}")
    finish = Proposed if proposals else lambda source: source
    if source == "shapes":
        check_no_path(source, path)
        return cached(finish(Shapes(split=split, classes=classes, **options)), cache_bytes)
    options |= {"classes": classes, "strict": strict, "on_fault": on_fault}
    opened = open_named(
        source, path, split, READERS, detection_records, first=("shapes",), **options
    )
    if opened.known_objects(0) is None:
        raise DataError(f"{path}: the split {split} has no objects; pack a detection dataset")
    return cached(finish(opened), cache_bytes)
