"""Clips as single pictures."""

import numpy as np

# Frames that are shown.
_SHOWN = 4


def side_by_side(image: np.ndarray) -> np.ndarray:
    """Returns an image [H, W, 3] as it is, and of a clip [T, H, W, 3] four frames in a row."""
    if image.ndim == 3:
        return image
    places = np.linspace(0, len(image) - 1, min(_SHOWN, len(image))).round().astype(int)
    return np.concatenate(list(image[places]), axis=1)
