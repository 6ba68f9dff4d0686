"""`coco.json`: a COCO result list (https://cocodataset.org/#format-results).

`image_id` is the file's name without its ending, with the frame's number behind it for a video, and
`category_id` the class's number from 0, as in the other files; `category_name` names it.
"""

import contextlib
import pathlib
from collections.abc import Iterator

from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.outputs.json_list import writing_list
from jaxvision.inference.result import Result


@contextlib.contextmanager
def coco_results(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `coco.json`, one object a line."""
    with writing_list(folder / "coco.json") as write:

        def add(item: Item, result: Result) -> None:
            for found in result.to_dict()["objects"]:
                x1, y1, x2, y2 = found["box"]
                write(
                    {
                        "image_id": item.name
                        if item.frame is None
                        else f"{item.name}_{item.frame:06}",
                        "category_id": found["class"],
                        "category_name": found["name"],
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "score": found["score"],
                        **({"segmentation": found["mask"]} if "mask" in found else {}),
                    }
                )

        yield add
