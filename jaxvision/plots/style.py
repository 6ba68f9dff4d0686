"""The one look of all pictures: colours, and Matplotlib figures made without its global state.

Figures are made by the object-oriented API with the Agg canvas: no display, no `pyplot`, no list of
open figures that grows with every evaluation. Styles are set on each figure, so that the user's own
Matplotlib settings stay as they are.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

Colour = tuple[int, int, int]

# RGB, far from each other and from white and the grey of letterboxing, in the order of the classes.
PALETTE: tuple[Colour, ...] = (
    (230, 57, 70),
    (42, 157, 244),
    (255, 183, 3),
    (46, 196, 120),
    (186, 85, 211),
    (255, 120, 40),
    (0, 200, 200),
    (255, 105, 180),
    (154, 205, 50),
    (110, 110, 245),
    (190, 130, 80),
    (0, 140, 110),
)
WHITE: Colour = (255, 255, 255)
DARK: Colour = (24, 24, 27)
GRID: Colour = (52, 52, 58)
MUTED: Colour = (161, 161, 170)

# Pixels an inch.
DPI = 100
# Points.
TITLE_SIZE, TEXT_SIZE, TICK_SIZE = 13, 10, 9
# Characters of a name in a chart, at most.
LONGEST_NAME = 28


def unit(colour: Colour) -> tuple[float, float, float]:
    """Maps RGB in [0, 255] to RGB in [0, 1], as Matplotlib takes it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


# From nothing, over axes of the grid's colour, to blue: it is read on any background.
SHADES = LinearSegmentedColormap.from_list(
    "shades", [(*unit(PALETTE[1]), 0.0), (*unit(PALETTE[1]), 1.0)]
)


def figure(width: float, height: float) -> Figure:
    """Makes an empty figure of a size in inches, with a dark background.

    Labels never leave the figure: axes shrink to make room for them.
    """
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    made = Figure(figsize=(width, height), dpi=DPI, facecolor=unit(DARK), layout=engine)
    FigureCanvasAgg(made)
    return made


def style_axes(axes: Axes, *, title: str = "", grid: bool = True, heat: bool = False) -> None:
    """Gives axes the colours of the style, and a title at their left.

    Args:
        axes: To be changed.
        title: Of the chart.
        grid: Whether lines are drawn at the ticks.
        heat: Whether the axes hold an image of `SHADES`.
    """
    axes.set_facecolor(unit(GRID if heat else DARK))
    axes.tick_params(colors=unit(MUTED), labelsize=TICK_SIZE, length=0)
    for spine in axes.spines.values():
        spine.set_color(unit(GRID))
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(unit(MUTED))
        label.set_fontsize(TEXT_SIZE)
    if grid:
        axes.grid(color=unit(GRID), linewidth=0.8)
        axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", color=unit(WHITE), fontsize=TITLE_SIZE, pad=12)


def legend(axes: Axes, handles: Sequence[Any], labels: Sequence[str], *, title: str = "") -> None:
    """Puts a legend to the right of axes, at their top."""
    # Matplotlib ignores labels that start with "_", so the texts are set afterwards.
    made = axes.legend(
        handles,
        [f"{i}" for i in range(len(labels))],
        title=title or None,
        loc="upper left",
        bbox_to_anchor=(1.02, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize=TEXT_SIZE,
        labelcolor=unit(WHITE),
        alignment="left",
    )
    made.get_title().set(color=unit(MUTED), fontsize=TEXT_SIZE)
    for text, label in zip(made.get_texts(), labels, strict=True):
        text.set_text(label)
        text.set_parse_math(False)


def set_names(axis: Any, names: Sequence[str], *, size: float = TICK_SIZE, **style: Any) -> None:
    """Labels the ticks 0, 1, ... of an axis with names; "$" in them is only a character."""
    axis.set_ticks(np.arange(len(names)))
    axis.set_ticklabels(list(names))
    for label in axis.get_ticklabels():
        label.set(color=unit(WHITE), fontsize=size, parse_math=False, **style)


def color_bar(
    figure: Figure, image: Any, axes: Axes, label: str, ticks: Sequence[float], *, side: float
) -> None:
    """Adds the scale of an image's colours to the right of its axes, as high as they are.

    Args:
        figure: Holds the axes.
        image: Of `axes.imshow`.
        axes: Of the image.
        label: Names the values.
        ticks: Values that are written.
        side: Width of the axes in inches.
    """
    room = axes.inset_axes((1 + 0.12 / side, 0.0, 0.16 / side, 1.0))
    bar = figure.colorbar(image, cax=room, ticks=list(ticks))
    bar.ax.set_facecolor(unit(GRID))
    if bar.solids is not None:
        bar.solids.set(rasterized=True, edgecolor="face")
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=unit(MUTED), labelsize=TICK_SIZE, length=0)
    bar.set_label(label, color=unit(MUTED), fontsize=TEXT_SIZE)


def shorten(name: str, length: int = LONGEST_NAME) -> str:
    """Cuts a name to at most `length` characters, the last of them an ellipsis."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def to_rgb(figure: Figure) -> np.ndarray:
    """Draws a figure.

    Args:
        figure: Of this package or any other.

    Returns:
        RGB [H, W, 3] uint8.
    """
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # A script that the font lacks shows as boxes; a warning for each glyph helps nobody.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
