"""Text in pictures, upright too."""

import cv2
import numpy as np

from jaxvision.inference.draw import DARK, FONT, Colour

# Pixels of a line, of which the letters stand on the fifth last.
_HEIGHT, _BASELINE = 20, 14


def text_width(text: str, scale: float) -> int:
    """Measures a line of text, in pixels.

    Args:
        text: Of any script that OpenCV's font has.
        scale: Of the font; 0.5 is about 13 pixels high.
    """
    return cv2.getTextSize(text, FONT, scale, 1)[0][0]


def write(
    canvas: np.ndarray, text: str, origin: tuple[int, int], scale: float, colour: Colour
) -> None:
    """Writes a line of text.

    Args:
        canvas: RGB [H, W, 3] uint8, which is changed.
        text: The line.
        origin: x and y of the start of its baseline.
        scale: Of the font.
        colour: RGB.
    """
    cv2.putText(canvas, text, origin, FONT, scale, colour, 1, cv2.LINE_AA)


def write_upright(
    canvas: np.ndarray,
    text: str,
    corner: tuple[int, int],
    scale: float,
    colour: Colour,
    *,
    up: bool = False,
) -> None:
    """Writes a line of text from above to below; what is outside of the canvas is left out.

    Args:
        canvas: RGB [H, W, 3] uint8, which is changed; the column becomes dark.
        text: The line.
        corner: x and y of the upper left corner of a column, 20 pixels wide, that holds it.
        scale: Of the font.
        colour: RGB.
        up: Whether it goes from below to above.
    """
    strip = np.full((_HEIGHT, text_width(text, scale) + 4, 3), DARK, np.uint8)
    write(strip, text, (2, _BASELINE), scale, colour)
    turned = cv2.rotate(strip, cv2.ROTATE_90_COUNTERCLOCKWISE if up else cv2.ROTATE_90_CLOCKWISE)
    left, top = max(0, corner[0]), max(0, corner[1])
    room = canvas[top : top + len(turned), left : left + _HEIGHT]
    room[:] = turned[: room.shape[0], : room.shape[1]]
