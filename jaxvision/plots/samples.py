"""Generated images in a grid."""

import math

import cv2
import numpy as np

from jaxvision.plots.report import Evaluated, Report
from jaxvision.plots.style import DARK

# Small images are enlarged to at least so many pixels a side.
_SIDE = 64
_GAP = 2


def sample_grid(images: np.ndarray, columns: int = 0) -> np.ndarray:
    """Puts images in rows.

    Args:
        images: [N, H, W, 1 or 3] uint8, N at least 1.
        columns: Images in a row; 0 for about as many as there are rows.

    Returns:
        RGB [H', W', 3] uint8; images of fewer than 64 pixels are enlarged by a whole factor.
    """
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    factor = max(1, math.ceil(_SIDE / max(height, width)))
    size = width * factor, height * factor
    step = np.array([size[1], size[0]]) + _GAP
    grid = np.full((*(step * (rows, columns) + _GAP), 3), DARK, np.uint8)
    for i, image in enumerate(images):
        top, left = np.array(divmod(i, columns)) * step + _GAP
        enlarged = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_NEAREST)
        grid[top : top + size[1], left : left + size[0]] = enlarged.reshape(
            size[1], size[0], channels
        )
    return grid


def generation_report(evaluation: Evaluated) -> Report:
    """Shows the images of an evaluation that asks for some; nothing of another one."""
    images = np.asarray(evaluation.predictions)
    if images.ndim != 4:
        return Report()
    kept = images[np.asarray(evaluation.batch["mask"], bool)]
    return Report(pictures={"grid": sample_grid(kept)})
