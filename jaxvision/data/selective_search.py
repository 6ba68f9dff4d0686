"""Regions that may hold an object, from groups of similar pixels.

Selective Search for Object Recognition, Uijlings et al. 2013,
https://doi.org/10.1007/s11263-013-0620-5, sections 3 and 4: the segments of Felzenszwalb and
Huttenlocher 2004 are merged, the most similar neighbours first, and the box of each is a region.
The defaults are the authors' "fast" version. Needs scikit-image.
"""

import heapq
from collections.abc import Sequence

import cv2
import numpy as np

from jaxvision.data.extras import library

_CODES = {"hsv": cv2.COLOR_RGB2HSV_FULL, "lab": cv2.COLOR_RGB2LAB, "rgb": None}
COLOR_BINS, TEXTURE_BINS, ORIENTATIONS = 25, 10, 8


def selective_search(
    image: np.ndarray,
    *,
    colors: Sequence[str] = ("hsv", "lab"),
    scales: Sequence[float] = (50, 100),
    min_side: int = 8,
    limit: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Finds regions.

    Args:
        image: RGB pixels [H, W, 3] uint8.
        colors: Colour spaces of the measures of similarity: `hsv`, `lab`, `rgb`.
        scales: Of the first segments, the larger the coarser.
        min_side: Regions with a shorter side are dropped, in pixels.
        limit: Regions to return, at most.
        seed: Of the order (section 4.3): the latest merged come first, but for chance.

    Returns:
        Boxes [P, 4] float32, xyxy in pixels, no two alike.

    Raises:
        ImportError: If scikit-image is not installed.
        ValueError: If a colour space is unknown.
    """
    if unknown := set(colors) - set(_CODES):
        raise ValueError(f"colors must be of {', '.join(_CODES)}, got {', '.join(unknown)}")
    rng = np.random.default_rng(seed)
    found: dict[tuple[int, ...], float] = {}
    for color in colors:
        converted = image if color == "rgb" else cv2.cvtColor(image, _CODES[color])
        for scale in scales:
            segments = library("skimage.segmentation", "proposals").felzenszwalb(
                converted, scale=scale, sigma=0.8, min_size=int(scale)
            )
            flat, count = segments.reshape(-1), int(segments.max()) + 1
            textures = _textures(converted, flat, count)
            both = np.concatenate([textures, _colors(converted, flat, count)], axis=1)
            for histograms in (both, textures):
                boxes = _merge(segments, histograms)
                # The first box of each list is the last merged: the whole image.
                for rank, box in enumerate(boxes[::-1], start=1):
                    order = rank * rng.uniform()
                    found[box] = min(order, found.get(box, np.inf))
    kept = [
        box
        for box in sorted(found, key=lambda box: found[box])
        if box[2] - box[0] >= min_side and box[3] - box[1] >= min_side
    ]
    return np.array(kept[:limit], np.float32).reshape(-1, 4)


def _merge(segments: np.ndarray, histograms: np.ndarray) -> list[tuple[int, ...]]:
    """Merges segments until one is left; returns the boxes of all, in order."""
    regions = _Regions(segments, histograms)
    neighbours = _neighbours(segments)
    heap = [(-regions.similarity(i, j), i, j) for i in neighbours for j in neighbours[i] if i < j]
    heapq.heapify(heap)
    while heap:
        _, i, j = heapq.heappop(heap)
        if i not in neighbours or j not in neighbours:
            continue  # merged already
        merged = regions.merge(i, j)
        around = (neighbours.pop(i) | neighbours.pop(j)) - {i, j}
        neighbours[merged] = around
        for other in around:
            neighbours[other] = (neighbours[other] - {i, j}) | {merged}
            heapq.heappush(heap, (-regions.similarity(other, merged), other, merged))
    return regions.boxes


class _Regions:
    """Segments and what they were merged to: sizes, boxes and histograms."""

    def __init__(self, segments: np.ndarray, histograms: np.ndarray) -> None:
        self.pixels = segments.size
        self.sizes = np.bincount(segments.reshape(-1)).astype(float).tolist()
        self.boxes = _boxes(segments, len(self.sizes))
        self.histograms = list(histograms)

    def similarity(self, i: int, j: int) -> float:
        """Sum of equations 1 to 5: of colour and texture, of being small, of filling a box."""
        a, b = self.boxes[i], self.boxes[j]
        width = max(a[2], b[2]) - min(a[0], b[0])
        height = max(a[3], b[3]) - min(a[1], b[1])
        size = self.sizes[i] + self.sizes[j]
        small, fill = 1 - size / self.pixels, 1 - (width * height - size) / self.pixels
        return float(np.minimum(self.histograms[i], self.histograms[j]).sum()) + small + fill

    def merge(self, i: int, j: int) -> int:
        """Adds the union of two regions and returns its number."""
        a, b, size = self.boxes[i], self.boxes[j], self.sizes[i] + self.sizes[j]
        corners = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
        shares = self.sizes[i] / size, self.sizes[j] / size
        self.histograms.append(shares[0] * self.histograms[i] + shares[1] * self.histograms[j])
        self.boxes.append(corners)
        self.sizes.append(size)
        return len(self.sizes) - 1


def _boxes(segments: np.ndarray, count: int) -> list[tuple[int, ...]]:
    flat, (height, width) = segments.reshape(-1), segments.shape
    y, x = np.divmod(np.arange(flat.size), width)
    low = np.full((count, 2), max(height, width))
    high = np.zeros((count, 2), int)
    for axis, values in enumerate((x, y)):
        np.minimum.at(low[:, axis], flat, values)
        np.maximum.at(high[:, axis], flat, values + 1)
    return list(map(tuple, np.concatenate([low, high], axis=1).tolist()))


def _neighbours(segments: np.ndarray) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {int(i): set() for i in np.unique(segments)}
    for first, second in ((segments[:, :-1], segments[:, 1:]), (segments[:-1], segments[1:])):
        touching = first != second
        pairs = np.stack([first[touching], second[touching]], axis=1)
        for i, j in np.unique(pairs, axis=0).tolist():
            found[i].add(j)
            found[j].add(i)
    return found


def _colors(image: np.ndarray, segments: np.ndarray, count: int) -> np.ndarray:
    """Returns histograms of the three channels [count, 3 * 25] whose sum is 1."""
    bins = image.reshape(-1, 3).astype(int) * COLOR_BINS // 256
    return _histograms(bins, segments, count, COLOR_BINS)


def _textures(image: np.ndarray, segments: np.ndarray, count: int) -> np.ndarray:
    """Returns histograms of derivatives in eight directions [count, 3 * 8 * 10] whose sum is 1."""
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    across, down = (cv2.Sobel(smooth, -1, *order, ksize=1) for order in ((1, 0), (0, 1)))
    angles = 2 * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
    bins = []
    for angle in angles:
        value = np.maximum(np.cos(angle) * across + np.sin(angle) * down, 0)
        top = np.maximum(value.max(axis=(0, 1)), 1e-6)
        scaled = (value / top * TEXTURE_BINS).astype(int)
        bins.append(np.minimum(scaled, TEXTURE_BINS - 1).reshape(-1, 3))
    return _histograms(np.concatenate(bins, axis=1), segments, count, TEXTURE_BINS)


def _histograms(bins: np.ndarray, segments: np.ndarray, count: int, size: int) -> np.ndarray:
    columns = bins.shape[1]
    index = (segments[:, None] * columns + np.arange(columns)[None]) * size + bins
    counted = np.bincount(index.reshape(-1), minlength=count * columns * size)
    counted = counted.reshape(count, -1).astype(np.float32)
    return counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
