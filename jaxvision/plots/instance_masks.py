"""Masks of objects over a picture, in the colours of their boxes."""

import cv2
import numpy as np

from jaxvision.plots.style import PALETTE

# Share of a mask's colour.
_OPACITY = 0.45


def blend_masks(canvas: np.ndarray, masks: np.ndarray, classes: np.ndarray) -> None:
    """Colours the pixels of objects and outlines them, the last ones first.

    Args:
        canvas: RGB [H, W, 3] uint8, which is changed.
        masks: Pixels of each object [K, H, W] bool.
        classes: Class of each object [K].
    """
    for mask, number in zip(masks[::-1], classes[::-1], strict=True):
        color = PALETTE[int(number) % len(PALETTE)]
        pixels = canvas[mask].astype(np.float32)
        canvas[mask] = np.rint(pixels + _OPACITY * (np.array(color, np.float32)[None] - pixels))
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(canvas, outlines, -1, color, 1, cv2.LINE_AA)
