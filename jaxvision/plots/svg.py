"""Figures as vector graphics inside a page, which gives them its colours, light or dark."""

import io
import re
from html import escape

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from jaxvision.plots import style
from jaxvision.plots.style import Colour

# CSS pixels per point.
_PIXELS = 96 / 72


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


# The page's CSS variable for each colour of the style; a bright colour that is read well on a dark
# background is a darker one on a light background.
VARIABLES = {
    _hex(style.WHITE): "--fg",
    _hex(style.DARK): "--bg",
    _hex(style.GRID): "--line",
    _hex(style.MUTED): "--soft",
    **{_hex(colour): f"--c{number}" for number, colour in enumerate(style.PALETTE)},
}


def to_svg(figure: Figure, label: str) -> str:
    """Draws a figure as an element of a page.

    Args:
        figure: Of this package; other colours than those of the style stay as they are.
        label: Says what it shows, for those who do not see it.

    Returns:
        An <svg> element, whose colours are the CSS variables `--fg`, `--bg`, `--line`, `--soft` and
        `--c0`, `--c1`, ... of the page.
    """
    canvas, dpi, text = figure.canvas, figure.dpi, io.StringIO()
    # Letters as outlines: the page's font would have other widths. Equal figures give equal text.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "jaxvision"}):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    # Matplotlib leaves the figure at 72 dots an inch.
    figure.set_dpi(dpi)
    figure.set_canvas(canvas)
    drawn = text.getvalue()
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    # Names of groups are the same in every figure of a page, and nothing refers to them.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"#[0-9a-f]{6}\b", _variable, body)
    width, height = (72 * side for side in figure.get_size_inches())
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label, quote=True)}" '
        f'width="{_PIXELS * width:.0f}" height="{_PIXELS * height:.0f}" '
        f'viewBox="0 0 {width:g} {height:g}">{body.strip()}'
    )


def _variable(found: re.Match[str]) -> str:
    name = VARIABLES.get(found[0])
    return f"var({name})" if name else found[0]
