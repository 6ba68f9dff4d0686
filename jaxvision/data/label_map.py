"""Label maps as PNG files: palette indices or grey values are the classes.

OpenCV resolves a palette to colours and makes grey of them: what it reads of such a file are not
the classes. So these files are read by Pillow.
"""

import io

import numpy as np
from PIL import Image

from jaxvision.data.errors import DataError
from jaxvision.data.picture import opened
from jaxvision.data.sample import VOID

# Modes of Pillow whose values are classes.
_INDEXED = ("1", "L", "P", "I", "I;16")
_SHOWN = 8


def decode_label_map(data: bytes, name: str) -> np.ndarray:
    """Reads the numbers that a PNG file holds.

    Args:
        data: The content of the file.
        name: What to call it in messages: the path.

    Returns:
        Palette indices or grey values [H, W] uint8, of deeper files int32.

    Raises:
        DataError: If the file cannot be read, or holds colours.
    """
    with opened(data, name, "label map", "unreadable-mask") as picture:
        if picture.mode not in _INDEXED:
            raise DataError(
                f"{name}: a label map must be a palette or grey PNG whose values are classes, "
                f"got one of mode {picture.mode}, which holds colours; export it with class "
                "numbers",
                code="coloured-mask",
            )
        numbers = np.array(picture)
    # Four bytes a pixel only where one would not do.
    return numbers.astype(
        np.uint8 if numbers.dtype in (np.bool_, np.uint8) else np.int32, copy=False
    )


def as_classes(numbers: np.ndarray, table: np.ndarray, name: str) -> np.ndarray:
    """Translates the numbers of a file to classes.

    Args:
        numbers: Palette indices or grey values [H, W] int.
        table: Class of each number [256] uint8, `VOID` for void; a number of -1 is unknown [256].
        name: Of the file, for the message.

    Returns:
        Label map [H, W] uint8.

    Raises:
        DataError: If a number has no class.
    """
    known = np.flatnonzero(table >= 0)
    if numbers.dtype == np.uint8:
        found = table[numbers]
        wrong = found < 0
    else:
        outside = (numbers < 0) | (numbers >= len(table))
        found = table[np.where(outside, 0, numbers)]
        wrong = outside | (found < 0)
    if wrong.any():
        values = np.unique(numbers[wrong])
        shown = ", ".join(map(str, values[:_SHOWN].tolist())) + (
            ", ..." if len(values) > _SHOWN else ""
        )
        classes = int((table[known] != VOID).sum())
        raise DataError(
            f"{name}: the label map holds {shown} ({wrong.mean():.1%} of the pixels), but there "
            f"are {classes} classes; known are {_ranges(known)}. Correct the classes, or export "
            "the palette's indices if the file holds the grey values of its colours.",
            code="unknown-class",
        )
    return found.astype(np.uint8)


def class_table(classes: int, void: tuple[int, ...] = (VOID,)) -> np.ndarray:
    """Returns the table of files that number classes from 0 [256] int16.

    Args:
        classes: Their number.
        void: Numbers that stand for no class.
    """
    table = np.full(256, -1, np.int16)
    table[:classes] = np.arange(classes)
    table[list(void)] = VOID
    return table


def encode_label_map(label_map: np.ndarray, palette: np.ndarray) -> bytes:
    """Writes a label map as a palette PNG.

    Args:
        label_map: Classes [H, W] uint8.
        palette: RGB of each number [256, 3] uint8.
    """
    picture = Image.fromarray(np.ascontiguousarray(label_map, np.uint8), mode="P")
    picture.putpalette(palette.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _ranges(numbers: np.ndarray) -> str:
    """Writes sorted numbers as `0 to 10, 255`."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{p[0]}" if len(p) == 1 else f"{p[0]} to {p[-1]}" for p in parts)
