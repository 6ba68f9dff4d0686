"""Polygons of labelme's JSON files, drawn as label maps.

https://github.com/wkentaro/labelme: `shapes` of `label`, `points` and `shape_type`, `imagePath`
relative to the JSON file, `imageHeight` and `imageWidth`.
"""

import json
import os
from typing import Any, NamedTuple

import cv2
import numpy as np

from jaxvision.data.errors import DataError, shown
from jaxvision.data.picture import MAX_SIDE, check_pixels
from jaxvision.data.readers.checks import (
    check_side,
    check_text,
    list_folder,
    read_text,
)

# Coordinates are drawn in 1/16 pixels.
_SHIFT = 4


class Labelled(NamedTuple):
    """One JSON file.

    Attributes:
        file: Its path.
        image: Path of its image.
        size: Height and width of the image in pixels.
        shapes: Label, kind and points [P, 2] of each shape, in the order in which they are drawn.
    """

    file: str
    image: str
    size: tuple[int, int]
    shapes: tuple[tuple[str, str, np.ndarray], ...]


def read_labelme(folder: str) -> list[Labelled]:
    """Reads all JSON files of a folder, sorted by name.

    Raises:
        DataError: If there is none, or one is not labelme's.
    """
    names = [name for name in list_folder(folder, "labelme's files") if name.endswith(".json")]
    if not names:
        raise DataError(
            f"{folder}: no JSON file of labelme; expected <name>.json beside <name>.jpg"
        )
    return [_read(os.path.join(folder, name)) for name in names]


def draw_labelme(labelled: Labelled, classes: tuple[str, ...]) -> np.ndarray:
    """Draws the shapes of a file over the background, class 0 [H, W] uint8.

    Raises:
        DataError: If a shape is of another class.
    """
    label_map = np.zeros(labelled.size, np.uint8)
    for number, (label, kind, points) in enumerate(labelled.shapes):
        if label not in classes:
            raise DataError(
                f"{labelled.file}: shapes[{number}].label must be one of {', '.join(classes)}, got "
                f"{label}",
                code="unknown-class",
            )
        value = classes.index(label)
        fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
        if kind == "circle":
            radius = float(np.linalg.norm(points[1] - points[0]))
            center = int(fixed[0, 0]), int(fixed[0, 1])
            cv2.circle(label_map, center, round(radius * (1 << _SHIFT)), value, -1, shift=_SHIFT)
            continue
        if kind == "rectangle":
            (x1, y1), (x2, y2) = fixed
            fixed = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.int32)
        cv2.fillPoly(label_map, [fixed], value, shift=_SHIFT)
    return label_map


def _read(file: str) -> Labelled:
    try:
        found = json.loads(read_text(file, "labelme file"))
        height, width = (
            check_side(found[side], f"{file}: {side}") for side in ("imageHeight", "imageWidth")
        )
        check_pixels(width, height, file)
        size = height, width
        image = os.path.join(os.path.dirname(file), str(found["imagePath"]).replace("\\", "/"))
        shapes = tuple(_shape(file, i, shape) for i, shape in enumerate(found["shapes"]))
    except DataError:
        raise
    # Of other JSON, whatever reading its fields happens to raise.
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise DataError(f"{file}: not a file of labelme: {error!r}") from error
    except RecursionError as error:
        raise DataError(f"{file}: its lists or objects are nested too deeply") from error
    return Labelled(file, image, size, shapes)


def _shape(file: str, number: int, shape: dict[str, Any]) -> tuple[str, str, np.ndarray]:
    kind = str(shape.get("shape_type") or "polygon")
    points = np.asarray(shape["points"], np.float64)
    least = {"polygon": 3, "rectangle": 2, "circle": 2}
    if kind not in least:
        raise DataError(
            f"{file}: shapes[{number}].shape_type must be {', '.join(least)}, got {kind}"
        )
    exactly = kind != "polygon"
    if (
        points.ndim != 2
        or points.shape[1] != 2
        or len(points) < least[kind]
        or (exactly and len(points) > least[kind])
    ):
        raise DataError(
            f"{file}: shapes[{number}].points must be {least[kind]}{'' if exactly else ' or more'} "
            f"x, y, got {list(points.shape)}"
        )
    # Also NaN; OpenCV draws in int32.
    if not (np.abs(points) <= MAX_SIDE).all():
        raise DataError(
            f"{file}: shapes[{number}].points must be pixels of the image, got {shown(points)}"
        )
    return check_text(str(shape["label"]), f"{file}: shapes[{number}].label"), kind, points
