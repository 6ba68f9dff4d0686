"""PNG files that are whole or not there and replace nothing."""

import os
from pathlib import Path

import numpy as np

from jaxvision.data.files import write_whole
from jaxvision.data.image import encode_image


def write_png(path: str | os.PathLike[str], image: np.ndarray) -> Path:
    """Writes RGB [H, W, 3] uint8 to a name that ends in `.png`; missing folders are made.

    Returns:
        Where the picture is: `path`, or `<name>-2.png` and so on where `path` holds another one,
        as when a run is continued from an earlier step.

    Raises:
        ValueError: If the name does not end in `.png` or the image is not RGB uint8.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise ValueError(f"expected a name that ends in .png, got {path}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be [H, W, 3] uint8, got {image.shape} {image.dtype}")
    data = encode_image(image, ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    target, number = path, 1
    while target.exists():
        if target.read_bytes() == data:
            return target
        number += 1
        target = path.with_name(f"{path.stem}-{number}.png")
    write_whole(target, data)
    return target
