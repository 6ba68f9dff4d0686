"""Pictures with what was found drawn on them, and videos of such pictures."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import cv2
import numpy as np

from jaxvision.inference.outputs.item import Add, Item
from jaxvision.inference.result import PICTURE_SUFFIXES, Result


@contextlib.contextmanager
def drawn_pictures(folder: pathlib.Path) -> Iterator[Add]:
    """Writes `<name>.jpg`, or `<name>.png` for other inputs than JPEG, for each picture."""

    def add(item: Item, result: Result) -> None:
        result.save(folder / drawn_name(item.path, item.name))

    yield add


def drawn_name(path: str, name: str) -> str:
    """Returns the file name of the drawn picture for a file."""
    suffix = os.path.splitext(path)[1].lower()
    return name + (suffix if suffix in PICTURE_SUFFIXES else ".png")


@contextlib.contextmanager
def drawn_video(file: pathlib.Path, rate: float) -> Iterator[Add]:
    """Writes a video of the drawn frames.

    Args:
        file: Ends in .mp4.
        rate: Frames a second.

    Raises:
        OSError: If no encoder can write it.
    """
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.mp4")
    writer: cv2.VideoWriter | None = None
    size = (0, 0)

    def add(item: Item, result: Result) -> None:
        nonlocal writer, size
        frame = result.plot()
        if writer is None:
            size = frame.shape[0], frame.shape[1]
            code = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(temporary), code, rate, size[::-1])
            if not writer.isOpened():
                raise OSError(f"OpenCV cannot write the video {file}")
        writer.write(cv2.cvtColor(_placed(frame, size), cv2.COLOR_RGB2BGR))

    try:
        yield add
        if writer is not None:
            writer.release()
            os.replace(temporary, file)
    finally:
        if writer is not None:
            writer.release()
        temporary.unlink(missing_ok=True)


def _placed(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cuts or fills a picture to a size: charts differ by the lengths of names."""
    if frame.shape[:2] == size:
        return np.ascontiguousarray(frame)
    placed = np.zeros((*size, 3), np.uint8)
    height, width = min(size[0], frame.shape[0]), min(size[1], frame.shape[1])
    placed[:height, :width] = frame[:height, :width]
    return placed
