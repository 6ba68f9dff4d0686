"""Restored pictures beside the small one, its interpolation, the truth and the error."""

import cv2
import numpy as np

from jaxvision.data.imresize import rounded, upscaled
from jaxvision.metrics.super_resolution import SuperResolutionQuality
from jaxvision.plots.report import Evaluated, Report
from jaxvision.plots.sheet import captioned, contact_sheet

# An error of this many levels, of 255, is the brightest colour of its map.
_LARGEST_ERROR = 48.0
# Pixels of the longer side of a part that is shown, and of the cell that it is enlarged to.
_PART, _CELL = 160, 320


def comparison(
    low: np.ndarray, restored: np.ndarray, truth: np.ndarray | None = None, *, caption: str = ""
) -> np.ndarray:
    """Shows a picture of low resolution and what was made of it, beside each other.

    Args:
        low: RGB [H, W, 3] in [0, 255].
        restored: RGB [s * H, s * W, 3] uint8.
        truth: The same of the picture itself, if it is known; then its difference from `restored`
            is shown, too.
        caption: A line below the first picture.

    Returns:
        RGB [H', W', 3] uint8.
    """
    return _beside(_pictures(low, restored, truth), caption)


def detail(low: np.ndarray, restored: np.ndarray, truth: np.ndarray, caption: str) -> np.ndarray:
    """Shows the part of a picture with the strongest edges enlarged, as `comparison` does."""
    scale = restored.shape[0] // low.shape[0]
    left, top, right, bottom = _richest_part(truth, _PART, scale)
    factor = max(1, _CELL // max(right - left, bottom - top))
    parts = [
        (name, np.repeat(np.repeat(x[top:bottom, left:right], factor, 0), factor, 1))
        for name, x in _pictures(low, restored, truth)
    ]
    return _beside(parts, caption)


def _pictures(
    low: np.ndarray, restored: np.ndarray, truth: np.ndarray | None
) -> list[tuple[str, np.ndarray]]:
    """Lists the pictures that are compared with their names, all of the size of `restored`."""
    scale = restored.shape[0] // low.shape[0]
    small = rounded(low.astype(np.float64)).astype(np.uint8)
    found = [
        ("low", np.repeat(np.repeat(small, scale, axis=0), scale, axis=1)),
        ("bicubic", rounded(upscaled(low, scale)).astype(np.uint8)),
        ("restored", restored),
    ]
    if truth is not None:
        found += [("truth", truth), ("error", error_map(restored, truth))]
    return found


def _beside(pictures: list[tuple[str, np.ndarray]], caption: str) -> np.ndarray:
    cells = [
        captioned(np.ascontiguousarray(x), name, caption if name == "restored" else "")
        for name, x in pictures
    ]
    return contact_sheet(cells, len(cells), gap=4)


def error_map(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Colours the largest difference of a channel at each pixel, black for none [H, W, 3] uint8."""
    error = np.abs(one.astype(np.float32) - other.astype(np.float32)).max(axis=-1)
    levels = np.clip(error * (255 / _LARGEST_ERROR), 0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def _richest_part(image: np.ndarray, side: int, scale: int) -> tuple[int, int, int, int]:
    """Finds the part of a picture with the strongest edges, where methods differ.

    Args:
        image: RGB [H, W, 3].
        side: Longest side of the part in pixels.
        scale: Its corners are multiples of it.

    Returns:
        left, top, right, bottom.
    """
    height, width = image.shape[:2]
    rows, columns = (min(side, length) // scale * scale for length in (height, width))
    grey = image.astype(np.float32).mean(axis=-1)
    edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.CV_32F))
    sums = cv2.boxFilter(edges, -1, (columns, rows), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    inside = sums[: height - rows + 1 : scale, : width - columns + 1 : scale]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return scale * int(left), scale * int(top), scale * int(left) + columns, scale * int(top) + rows


def quality_lines(metrics: dict[str, float]) -> list[str]:
    """Says for each set how far its pictures are above the bicubic enlargement."""
    found = []
    for name in metrics:
        prefix, slash, last = name.rpartition("/")
        if last != "psnr_y":
            continue
        start = prefix + slash
        found.append(
            f"{prefix or 'pictures'}: {metrics[name]:.2f} dB, bicubic "
            f"{metrics[start + 'bicubic_psnr_y']:.2f} dB, SSIM {metrics[start + 'ssim_y']:.4f}"
        )
    return found


def super_resolution_report(evaluation: Evaluated) -> Report:
    """Says how good each set is; shows the picture of the first batch.

    Args:
        evaluation: Of a super-resolution network.
    """
    metric: SuperResolutionQuality = evaluation.metric
    lines = [f"  {line}" for line in quality_lines(metric.compute())]
    batch = evaluation.batch
    if not np.asarray(batch["mask"])[0]:
        return Report(lines)
    restored = rounded(np.asarray(evaluation.predictions.image[0])).astype(np.uint8)
    values = metric.pictures[0].values
    picture = detail(
        np.asarray(batch["image"][0]),
        restored,
        np.asarray(batch["target"][0]),
        f"{values['psnr_y']:.2f} dB",
    )
    return Report(lines, {"restored": picture})
