"""Where a Matplotlib figure has its texts."""

from matplotlib.text import Text

from jaxvision.plots.style import to_rgb


def texts(figure):
    """All texts of a figure that are not empty, with their extents in pixels."""
    to_rgb(figure)
    # Ticks outside of the view have labels, which Matplotlib does not draw.
    hidden = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    found = [
        t for t in figure.findobj(Text) if t.get_text() and t.get_visible() and t not in hidden
    ]
    renderer = figure.canvas.get_renderer()
    return {t.get_text(): t.get_window_extent(renderer) for t in found}


def written_outside(figure):
    """Texts that the edges of the figure cut."""
    width, height = figure.canvas.get_width_height()
    return [
        text
        for text, box in texts(figure).items()
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height
    ]
