"""Where a decoder looked: tokens of the source across, tokens of the translation down.

Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, figure 3, shows it for a recurrent network.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxvision.plots import style

# Inches of a cell, the second for sentences of more tokens than `_FEW`, and of a letter.
_CELL, _SMALL_CELL, _FEW, _LETTER = 0.3, 0.2, 40, 0.09


def attention_figure(
    weights: np.ndarray,
    source: Sequence[str],
    target: Sequence[str],
    *,
    title: str = "Attention to the source",
) -> Figure:
    """Draws attention weights as a heat map; the bluer a cell, the larger its weight.

    Args:
        weights: By target and source token [T, S], in [0, 1].
        source: The source's tokens, S texts.
        target: The translation's tokens, T texts.
        title: Stands above.

    Raises:
        ValueError: If there are not as many tokens as rows and columns.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(target), len(source)):
        raise ValueError(
            f"weights must be [{len(target)}, {len(source)}], one row a target token and one "
            f"column a source token, got {list(weights.shape)}"
        )
    cell = _CELL if max(weights.shape) <= _FEW else _SMALL_CELL
    height, width = (cell * length for length in weights.shape)
    left, top = (
        _LETTER * max((len(style.shorten(token)) for token in side), default=0)
        for side in (target, source)
    )
    figure = style.figure(max(left + width + 1.4, 4.2), max(top + height + 1.3, 2.2))
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap=style.SHADES, vmin=0.0, vmax=1.0, interpolation="none")
    axes.set(xlabel="source", ylabel="translation", anchor="NW")
    style.style_axes(axes, grid=False, heat=True)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0)
    figure.suptitle(
        title, x=0.01, horizontalalignment="left", color=style.unit(style.WHITE), fontsize=13
    )
    size = style.TEXT_SIZE if cell == _CELL else 7
    style.set_names(axes.xaxis, [style.shorten(t) for t in source], size=size, rotation=90)
    style.set_names(axes.yaxis, [style.shorten(t) for t in target], size=size)
    # Lines of the background between cells, to follow rows and columns by.
    for lines, length, other in (
        (axes.vlines, len(source), len(target)),
        (axes.hlines, len(target), len(source)),
    ):
        edges = np.arange(length - 1) + 0.5
        lines(edges, -0.5, other - 0.5, color=style.unit(style.DARK), linewidth=1)
    style.color_bar(figure, image, axes, "weight", (0.0, 0.5, 1.0), side=width)
    return figure
