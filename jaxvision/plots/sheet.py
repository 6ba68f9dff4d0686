"""Sheets of many pictures, each with a line of text below it."""

import math
from collections.abc import Sequence

import numpy as np

from jaxvision.plots.lettering import text_width, write
from jaxvision.plots.style import DARK, MUTED, WHITE, Colour

# Pixels of a caption and of its letters.
_STRIP, _LETTERS = 28, 13


def contact_sheet(
    images: Sequence[np.ndarray], columns: int, *, gap: int = 8, background: Colour = DARK
) -> np.ndarray:
    """Lays images out in rows, each at the top left of a cell of the largest one's size.

    Args:
        images: RGB [H, W, 3] uint8, of any sizes.
        columns: Images in a row.
        gap: Space between images and around them, pixels.
        background: RGB of all that no image covers.

    Returns:
        RGB [H', W', 3] uint8.

    Raises:
        ValueError: If there are no images, or columns is not positive.
    """
    if not images or columns < 1:
        raise ValueError(
            f"expected images and a column or more, got {len(images)} images, {columns} columns"
        )
    height = max(image.shape[0] for image in images) + gap
    width = max(image.shape[1] for image in images) + gap
    rows = math.ceil(len(images) / columns)
    sheet = np.full((rows * height + gap, columns * width + gap, 3), background, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * height + gap, i % columns * width + gap
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def captioned(canvas: np.ndarray, name: str, text: str) -> np.ndarray:
    """Returns a picture [H, W, 3] with a line of text below it, [H + 28, W, 3].

    Args:
        canvas: RGB uint8.
        name: The start of the line, in white.
        text: The rest of it, in grey.
    """
    strip = np.full((_STRIP, canvas.shape[1], 3), DARK, np.uint8)
    write(strip, name, (2, 18), _LETTERS, WHITE)
    write(strip, text, (2 + text_width(name + "  ", _LETTERS), 18), _LETTERS, MUTED)
    return np.concatenate([canvas, strip])
