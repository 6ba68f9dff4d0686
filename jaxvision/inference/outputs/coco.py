"""`coco.json`: a COCO result list (https://cocodataset.org/#format-results).

`image_id` is the file's name without its ending, with the frame's number behind it for a video, and
`category_id` the class's number from 0, as in the other files; `category_name` names it.
"""

import contextlib
import json
import pathlib
from collections.abc import Iterator

from jaxvision.data.files import replacing
from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import Result


@contextlib.contextmanager
def coco_results(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `coco.json`, one object a line."""
    with replacing(folder / "coco.json") as temporary, temporary.open("w") as file:
        separator = "[\n"

        def add(item: Item, result: Result) -> None:
            nonlocal separator
            for found in result.to_dict()["objects"]:
                x1, y1, x2, y2 = found["box"]
                values = {
                    "image_id": item.name if item.frame is None else f"{item.name}_{item.frame:06}",
                    "category_id": found["class"],
                    "category_name": found["name"],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": found["score"],
                }
                file.write(separator + json.dumps(values, ensure_ascii=False))
                separator = ",\n"

        yield add
        file.write("[]\n" if separator == "[\n" else "\n]\n")
