"""A text as a picture."""

import textwrap

from matplotlib.figure import Figure

from jaxvision.plots import style

_COLUMNS = 72


def text_figure(text: str) -> Figure:
    """Draws a text, its lines wrapped."""
    lines = [part for line in text.split("\n") for part in textwrap.wrap(line, _COLUMNS) or [""]]
    figure = style.figure(7.0, 0.5 + 0.22 * len(lines))
    # Not mathematics, where a text has dollars.
    shown = "\n".join(lines).replace("$", r"\$")
    figure.text(0.03, 0.97, shown, va="top", ha="left", family="monospace", linespacing=1.4)
    return figure
