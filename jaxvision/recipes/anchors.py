"""Anchor sizes that fit the objects of a dataset, as YOLOv5 finds them.

YOLOv2 (Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2) clusters sizes by
k-means; YOLOv5's authors refine the clusters by random changes that are kept if they fit better.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans

from jaxvision.data.errors import DataError
from jaxvision.data.source import Source
from jaxvision.losses.detection.anchor_method import Sizes
from jaxvision.recipes import wiring
from jaxvision.recipes.values import Config

Anchors = Sequence[Sequence[Sequence[float]]]

# Share of the objects that some anchor must match; below it anchors are fitted.
_ENOUGH = 0.98
# Objects that the fit looks at, at most.
_SAMPLE = 20_000
_ROUNDS = 1000


class Fit(NamedTuple):
    """Anchors for a dataset.

    Attributes:
        anchors: Of each map, width and height in pixels of the anchors of a cell.
        message: What was found, a line.
    """

    anchors: list[list[list[float]]]
    message: str


def object_sizes(source: Source, image_size: int) -> np.ndarray:
    """Returns width and height [N, 2] of all objects, in images whose longer side is scaled."""
    sizes = []
    for index in range(len(source)):
        height, width, objects, _ = source.annotation(index)
        if objects is not None and len(objects):
            boxes = objects.boxes[~objects.crowd]
            sizes.append((boxes[:, 2:] - boxes[:, :2]) * (image_size / max(height, width)))
    found = np.concatenate(sizes) if sizes else np.zeros((0, 2))
    return found[(found >= 2).all(axis=1)].astype(np.float64)


def fitting_anchors(
    source: Source,
    anchors: Anchors,
    image_size: int,
    *,
    max_ratio: float = 4.0,
    keep: bool = True,
    seed: int = 0,
) -> Fit:
    """Keeps anchors that match nearly all objects of a dataset, or finds better ones.

    Args:
        source: Images with objects.
        anchors: Of each map, ascending, width and height in pixels of the anchors of a cell.
        image_size: Longer side of the network's input in pixels.
        max_ratio: An anchor matches an object if both sides differ by less than this factor.
        keep: Whether anchors that match nearly all objects are kept; otherwise those of the dataset
            are found in any case.
        seed: Of the clustering and the random changes.

    Raises:
        DataError: If there are fewer objects of two pixels or more than anchors.
    """
    given = np.asarray(anchors, np.float64)
    flat = given.reshape(-1, 2)
    sizes = object_sizes(source, image_size)
    if len(sizes) < len(flat):
        raise DataError(
            f"anchors can be fitted to at least {len(flat)} objects of 2 pixels or more, got "
            f"{len(sizes)}; take loss.anchors=authors"
        )
    matched = _share_matched(sizes, flat, max_ratio)
    if keep and matched >= _ENOUGH:
        message = f"anchors: the authors' match {matched:.1%} of the objects and are kept"
        return Fit(given.tolist(), message)
    rng = np.random.default_rng(seed)
    sample = sizes[rng.permutation(len(sizes))[:_SAMPLE]]
    found = _evolved(sample, _clusters(sample, len(flat), seed), max_ratio, rng)
    found = found[np.argsort(found.prod(axis=1))].round(1)
    better = _share_matched(sizes, found, max_ratio)
    message = f"anchors: the authors' match {matched:.1%} of the objects, fitted ones {better:.1%}"
    if keep and better <= matched:
        return Fit(given.tolist(), f"{message}: those of the authors are kept")
    return Fit(found.reshape(given.shape).tolist(), message)


def _ratios(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The smaller of both sides' agreement [N, A], 1 for equal sizes."""
    ratio = sizes[:, None] / anchors[None]
    return np.minimum(ratio, 1 / ratio).min(axis=2)


def _share_matched(sizes: np.ndarray, anchors: np.ndarray, max_ratio: float) -> float:
    return float((_ratios(sizes, anchors).max(axis=1) > 1 / max_ratio).mean())


def _clusters(sizes: np.ndarray, count: int, seed: int) -> np.ndarray:
    deviation = np.maximum(sizes.std(axis=0), 1e-6)
    means = KMeans(count, n_init="auto", random_state=seed).fit(sizes / deviation)
    return means.cluster_centers_ * deviation


def _evolved(
    sizes: np.ndarray, anchors: np.ndarray, max_ratio: float, rng: np.random.Generator
) -> np.ndarray:
    """Changes sides by random factors and keeps what fits better."""

    def fitness(candidate: np.ndarray) -> float:
        best = _ratios(sizes, candidate).max(axis=1)
        return float((best * (best > 1 / max_ratio)).mean())

    best = fitness(anchors)
    for _ in range(_ROUNDS):
        changed = rng.random(anchors.shape) < 0.9
        factor = 1 + changed * rng.random() * 0.1 * rng.standard_normal(anchors.shape)
        candidate = np.maximum(anchors * np.clip(factor, 0.3, 3.0), 2.0)
        value = fitness(candidate)
        if value > best:
            anchors, best = candidate, value
    return anchors


def anchors_of(own: Callable[[str], Sizes]) -> Callable[[Config, Source], dict[str, Any]]:
    """Returns what computes the anchors of a run; `own` gives the authors' of a variant."""

    def info(config: Config, train: Source) -> dict[str, Any]:
        anchors = own(config.variant)
        if config.loss.anchors == "authors":
            return dict(anchors=[list(map(list, level)) for level in anchors])
        if config.loss.anchors not in ("auto", "fitted"):
            got = config.loss.anchors
            raise ValueError(f"loss.anchors must be auto, fitted or authors, got {got}")
        keep = config.loss.anchors == "auto"
        found = fitting_anchors(train, anchors, config.image_size, keep=keep)
        print(found.message)
        return dict(anchors=found.anchors)

    return info


def anchors_in(info: Mapping[str, Any]) -> Sizes:
    """Returns the anchors of each map that `anchors_of` computed."""
    return tuple(tuple(map(tuple, level)) for level in info["anchors"])


def with_anchors(
    build: Callable[..., Any], config: Config, info: Mapping[str, Any], method: Any
) -> tuple[Any, Any]:
    """Builds a network with as many anchors a cell as its method has; returns both."""
    fields = wiring.normalised_fields(config, info) | dict(anchors_per_cell=method.anchors_per_cell)
    return wiring.network(build, config, **fields), method
