"""`masks/<name>.png`: label maps as palette PNG files, whose indices are the classes.

`classes.txt` names them, so that the folder, with pictures in `images/`, is a dataset that training
reads.
"""

import contextlib
import pathlib
from collections.abc import Iterator

from jaxvision.data.files import write_whole
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result
from jaxvision.inference.segmenter import SegmentedImage


@contextlib.contextmanager
def label_maps(folder: pathlib.Path) -> Iterator[Add]:
    """Writes a file for each picture or frame."""
    names: tuple[str, ...] = ()

    def add(item: Item, result: Result) -> None:
        nonlocal names
        if not isinstance(result, SegmentedImage):
            raise ValueError(f"masks hold label maps, got {type(result).__name__}")
        if result.class_names != names:
            names = result.class_names
            write_whole(folder / "classes.txt", "".join(f"{name}\n" for name in names))
        frame = "" if item.frame is None else f"_{item.frame:06}"
        result.save_mask(folder / "masks" / f"{item.name}{frame}.png")

    yield add
