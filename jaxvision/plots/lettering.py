"""Text on pixels, by Pillow in the font that Matplotlib ships, which has umlauts and accents."""

import functools
import pathlib

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxvision.plots.style import Colour


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    path = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, size)


def text_width(text: str, size: int) -> int:
    """Measures a line of text.

    Args:
        text: The line.
        size: Of the font, pixels.

    Returns:
        Pixels from its start to where the next letter would stand.
    """
    return round(_font(size).getlength(text))


def text_height(size: int) -> tuple[int, int]:
    """Pixels of a line above and below its baseline, whatever its letters."""
    return _font(size).getmetrics()


def write(
    canvas: np.ndarray, text: str, origin: tuple[int, int], size: int, colour: Colour
) -> None:
    """Writes a line of text; what would be outside of the canvas is cut off.

    Args:
        canvas: RGB [H, W, 3] uint8, which is changed.
        text: The line.
        origin: x and y of the start of its baseline, pixels.
        size: Of the font, pixels.
        colour: RGB.
    """
    ascent, descent = text_height(size)
    height, width = ascent + descent, text_width(text, size) + 2
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((0, ascent), text, fill=255, font=_font(size), anchor="ls")
    left, top = origin[0], origin[1] - ascent
    x, y = max(0, -left), max(0, -top)
    room = canvas[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    cover = np.asarray(mask, np.float32)[y : y + room.shape[0], x : x + room.shape[1], None] / 255
    room[:] = np.rint(room + (np.array(colour, np.float32) - room) * cover).astype(np.uint8)
