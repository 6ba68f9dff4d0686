"""An image beside the classes that a classifier gives it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxvision.plots import style

# Inches: the side of the image, a bar, and a letter.
_SIDE, _BAR, _LETTER = 3.6, 0.42, 0.085
# Bars that there is room for, so that fewer are not thicker.
_LEAST = 5


def probability_chart(image: np.ndarray, classes: Sequence[tuple[str, float]]) -> Figure:
    """Draws an image and, to its right, a bar for each of some classes.

    Args:
        image: RGB [H, W, 3] uint8.
        classes: Names and probabilities in [0, 1], from the top to the bottom.
    """
    names = [style.shorten(name) for name, _ in classes]
    values = [value for _, value in classes]
    room = _LETTER * max(map(len, names))
    height = max(_SIDE, _BAR * len(names) + 0.6)
    width = min(_SIDE * image.shape[1] / image.shape[0], 2 * _SIDE)
    figure = style.figure(width + room + 3.4, height)
    left, right = figure.subplots(1, 2, width_ratios=(width, room + 2.8))
    left.imshow(image, interpolation="nearest" if max(image.shape[:2]) < 128 else "antialiased")
    left.set_axis_off()
    places = np.arange(len(names))
    right.barh(places, values, 0.7, color=style.unit(style.PALETTE[1]))
    right.set(xlim=(0, 1.18), ylim=(max(len(names), _LEAST) - 0.5, -0.5), xticks=[])
    style.style_axes(right, grid=False)
    for spine in right.spines.values():
        spine.set_visible(False)
    style.set_names(right.yaxis, names, size=style.TEXT_SIZE)
    for place, value in zip(places, values, strict=True):
        right.text(
            value + 0.02,
            place,
            f"{value:.1%}" if value >= 0.001 else "< 0.1%",
            color=style.unit(style.WHITE),
            fontsize=style.TICK_SIZE,
            verticalalignment="center",
        )
    return figure
