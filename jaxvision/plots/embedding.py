"""Vectors in two dimensions, by t-SNE."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from jaxvision.plots import style

# Points with a name beside them, at most: more cover each other.
_NAMED = 300
_SIDE = 10.0


def embedding_figure(
    vectors: np.ndarray,
    names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    title: str = "",
    seed: int = 0,
) -> Figure:
    """Draws vectors so that those of near directions are near each other.

    Args:
        vectors: At least four [n, D]; zeros have no direction.
        names: Name of each one.
        groups: Group of each one, which is its colour.
        title: Of the chart.
        seed: Of the places that t-SNE starts from.

    Raises:
        ValueError: If there are fewer than four.
    """
    if len(vectors) < 4:
        raise ValueError(f"a picture needs at least four vectors, got {len(vectors)}")
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(unit)
    figure = style.figure(_SIDE, _SIDE)
    plot = figure.add_subplot()
    of = list(groups) if groups is not None else [""] * len(names)
    style.style_axes(plot, title=title or "t-SNE of cosines", grid=False)
    handles, labels = [], list(dict.fromkeys(of))
    for i, group in enumerate(labels):
        chosen = np.array([each == group for each in of])
        colour = style.unit(style.PALETTE[(i + 1) % len(style.PALETTE)])
        handles.append(plot.scatter(*places[chosen].T, s=12, color=colour))
    for place, name in list(zip(places, names, strict=True))[:_NAMED]:
        plot.annotate(
            style.shorten(name),
            place,
            xytext=(3, 2),
            textcoords="offset points",
            color=style.unit(style.WHITE),
            fontsize=7,
            parse_math=False,
        )
    if groups is not None:
        style.legend(plot, handles, [style.shorten(label) for label in labels])
    plot.set_xticks([])
    plot.set_yticks([])
    return figure
