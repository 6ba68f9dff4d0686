"""The confusion matrix as a heat map."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from jaxvision.plots import style

# Up to so many classes have their counts in the cells, and up to so many their names at the sides.
MAX_COUNTS, MAX_NAMES = 25, 60
# Inches.
_CELL, _SMALL_CELL, _LEAST, _LETTER = 0.5, 0.2, 3.6, 0.085


def confusion_matrix(
    counts: np.ndarray, class_names: Sequence[str], *, unit: str = "share of the true class"
) -> Figure:
    """Draws a confusion matrix; the bluer a cell, the larger its share of the true class.

    Args:
        counts: Images or pixels by true class (rows) and predicted class (columns) [K, K].
        class_names: Name of each class.
        unit: Label of the colour bar.

    Returns:
        A figure with names for up to 60 classes and counts for up to 25.

    Raises:
        ValueError: If there is not one name for each row and column.
    """
    counts = np.asarray(counts)
    size = len(class_names)
    if counts.shape != (size, size):
        raise ValueError(
            f"counts must be [{size}, {size}] for {size} class names, got {list(counts.shape)}"
        )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [style.shorten(name) for name in class_names]
    side, room = 7.0, 0.5
    if size <= MAX_NAMES:
        side = max(_LEAST, size * (_CELL if size <= MAX_COUNTS else _SMALL_CELL))
        room = 0.3 + _LETTER * max(map(len, names))
    figure = style.figure(side + room + 1.9, side + room + 1.0)
    axes = figure.add_subplot()
    # The root makes rare confusions, which are the ones of interest, stand out.
    image = axes.imshow(
        shares, cmap=style.SHADES, norm=PowerNorm(0.5, 0.0, 1.0), interpolation="none"
    )
    axes.set(xlabel="predicted class", ylabel="true class", anchor="W")
    style.style_axes(axes, title="Confusion matrix", grid=False, heat=True)
    ticks = (0.0, 0.1, 0.25, 0.5, 1.0)
    style.color_bar(figure, image, axes, unit, ticks, side=side)
    if size <= MAX_NAMES:
        text_size = style.TICK_SIZE if size <= MAX_COUNTS else 7
        style.set_names(axes.yaxis, names, size=text_size)
        upright = max(map(len, names)) > 4
        style.set_names(axes.xaxis, names, size=text_size, rotation=90 if upright else 0)
        # Lines of the background between cells.
        edges = np.arange(size - 1) + 0.5
        axes.vlines(edges, -0.5, size - 0.5, color=style.unit(style.DARK), linewidth=1)
        axes.hlines(edges, -0.5, size - 0.5, color=style.unit(style.DARK), linewidth=1)
    if size <= MAX_COUNTS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column,
                row,
                _short(int(counts[row, column])),
                color=style.unit(style.WHITE),
                fontsize=style.TEXT_SIZE if size <= 12 else 8,
                horizontalalignment="center",
                verticalalignment="center",
            )
    return figure


def _short(count: int) -> str:
    """Writes a count in at most five characters."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 100_000 else f"{count / 1e6:.2f}M"
