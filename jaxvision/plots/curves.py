"""Curves in the unit square, as ROC and precision by recall, and the reliability diagram."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from jaxvision.metrics.curves import Calibration, Curve
from jaxvision.plots import style

# With more classes, the mean of all curves and those of the worst few are drawn.
MAX_CURVES = 10
WORST = 5
# Points of a line, at most: more do not show.
_MAX_POINTS = 2000
# Inches: the side of the unit square with its labels, and a letter of the legend.
_SIDE, _LETTER = 6.4, 0.085


def curves(
    lines: Sequence[Curve],
    areas: Sequence[float],
    names: Sequence[str],
    *,
    title: str,
    axes: tuple[str, str],
    area: str = "area",
    chance: bool = False,
    mark: float | None = None,
) -> Figure:
    """Draws curves in the unit square, each with its area in the legend.

    Args:
        lines: One for each class.
        areas: Area of each one.
        names: Name of each one. Of more than ten, the five with the smallest areas are drawn, and
            the mean of all at equal x.
        title: Of the chart.
        axes: Names of x and y.
        area: What the areas are called.
        chance: Whether to draw the diagonal, which is where guesses end up.
        mark: Where to draw a vertical line.
    """
    many = len(lines) > MAX_CURVES
    chosen = [int(i) for i in np.argsort(areas)[:WORST]] if many else range(len(lines))
    entries = [(f"{areas[i]:.3f}  {style.shorten(names[i])}", lines[i]) for i in chosen]
    letters = max((len(text) for text, _ in entries), default=0)
    figure = style.figure(_SIDE + 0.8 + _LETTER * max(letters, 24), _SIDE)
    plot = figure.add_subplot()
    handles, labels = [], []
    if chance:
        plot.plot([0, 1], [0, 1], color=style.unit(style.MUTED), linewidth=1, linestyle=":")
    if mark is not None:
        plot.axvline(mark, color=style.unit(style.MUTED), linewidth=1, linestyle=":")
    if many:
        x = np.linspace(0.0, 1.0, 201)
        mean = np.mean([np.interp(x, line.x, line.y) for line in lines], axis=0)
        handles += plot.plot(x, mean, color=style.unit(style.WHITE), linewidth=2.5, clip_on=False)
        labels.append(f"{np.mean(areas):.3f}  mean of {len(lines)} classes")
    for number, (label, line) in enumerate(entries):
        color = style.unit(style.PALETTE[number % len(style.PALETTE)])
        x, y = thinned(line)
        handles += plot.plot(x, y, color=color, linewidth=1.6, clip_on=False)
        labels.append(label)
    if not lines:
        plot.text(
            0.5,
            0.5,
            "no class has images with and without it",
            color=style.unit(style.MUTED),
            horizontalalignment="center",
        )
    plot.set(xlabel=axes[0], ylabel=axes[1], xlim=(0, 1), ylim=(0, 1), aspect="equal", anchor="W")
    style.style_axes(plot, title=title)
    heading = f"{area}, the {WORST} smallest" if many else area
    style.legend(plot, handles, labels, title=heading if lines else "")
    return figure


def thinned(line: Curve) -> Curve:
    """Keeps at most 2,000 points of a curve, the first and the last among them."""
    if len(line.x) <= _MAX_POINTS:
        return line
    kept = np.linspace(0, len(line.x) - 1, _MAX_POINTS).astype(int)
    return Curve(line.x[kept], line.y[kept])


def reliability(found: Calibration) -> Figure:
    """Draws accuracy by confidence, and below how many predictions have that confidence.

    Args:
        found: Bins of equal width.
    """
    figure = style.figure(_SIDE + 2.0, _SIDE + 1.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    bins = len(found.count)
    centers, width = (np.arange(bins) + 0.5) / bins, 0.92 / bins
    accuracy, confidence = np.nan_to_num(found.accuracy), np.nan_to_num(found.confidence)
    colors = [
        style.unit(style.PALETTE[0 if c > a else 3])
        for a, c in zip(accuracy, confidence, strict=True)
    ]
    upper.bar(centers, accuracy, width, color=style.unit(style.PALETTE[1]))
    upper.bar(centers, confidence - accuracy, width, bottom=accuracy, color=colors, alpha=0.85)
    upper.plot([0, 1], [0, 1], color=style.unit(style.WHITE), linewidth=1, linestyle="--")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    share = found.count / max(found.count.sum(), 1)
    lower.bar(centers, share, width, color=style.unit(style.PALETTE[2]))
    lower.set(xlabel="confidence", ylabel="share", ylim=(0, max(1e-9, 1.1 * share.max())))
    title = f"Reliability, expected calibration error {found.error:.3f}"
    style.style_axes(upper, title=title)
    style.style_axes(lower)
    entries = {"accuracy": 1, "overconfident": 0, "underconfident": 3, "predictions": 2}
    patches = [Patch(color=style.unit(style.PALETTE[i])) for i in entries.values()]
    style.legend(upper, patches, list(entries))
    return figure
