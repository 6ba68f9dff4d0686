"""YOLO's text files: `labels/<name>.txt`, a line `class cx cy width height` for each object.

Numbers but the class are fractions of the image. `classes.txt` names the classes by number, so that
the folder, with pictures in `images/`, is a dataset that training reads.
"""

import contextlib
import pathlib
from collections.abc import Iterator

from jaxvision.data.files import write_whole
from jaxvision.inference.detector import ImageDetections
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result


@contextlib.contextmanager
def yolo_labels(folder: pathlib.Path) -> Iterator[Add]:
    """Writes a file for each picture or frame, empty where nothing was found."""
    labels = folder / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    names: tuple[str, ...] = ()

    def add(item: Item, result: Result) -> None:
        nonlocal names
        if not isinstance(result, ImageDetections):
            raise ValueError(f"YOLO's files hold detections, got {type(result).__name__}")
        if result.class_names != names:
            names = result.class_names
            write_whole(folder / "classes.txt", "".join(f"{name}\n" for name in names))
        height, width = result.size
        lines = []
        for k, (x1, y1, x2, y2) in zip(result.classes, result.boxes.tolist(), strict=True):
            numbers = (
                (x1 + x2) / 2 / width,
                (y1 + y2) / 2 / height,
                (x2 - x1) / width,
                (y2 - y1) / height,
            )
            lines.append(" ".join([str(int(k)), *(f"{number:.6f}" for number in numbers)]) + "\n")
        frame = "" if item.frame is None else f"_{item.frame:06}"
        write_whole(labels / f"{item.name}{frame}.txt", "".join(lines))

    yield add
