"""Starting a run from the variables of another model, or of the same with other classes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from flax import traverse_util

from jaxvision.pretrained.adapt import adapted
from jaxvision.pretrained.variables import flat

Key = tuple[str, ...]  # (collection, name, ...)


class Transferred(NamedTuple):
    """Variables to start from, and where they come from.

    Attributes:
        variables: Of the structure of the fresh ones, numpy arrays or those of `fresh`.
        taken: Paths, `backbone/stem/conv/kernel`, of the variables that were taken.
        fresh: Paths of those below `here` that stayed as they were.
        message: "took 23,508,032 of 23,528,522 values; fresh: head/bias [10], ...", and what was
            made to fit.
    """

    variables: dict[str, Any]
    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    message: str


def transfer(
    variables: Mapping[str, Any],
    fresh: Mapping[str, Any],
    there: str = "",
    here: str = "",
    *,
    strict: bool = False,
) -> Transferred:
    """Fills fresh variables with those of another model that have their names and shapes.

    The others stay fresh. Fine-tuning needs that: the last layer of a detector or classifier has
    one output for each class, and everything before it fits.

        transfer(classifier_variables, detector_variables, there="backbone", here="backbone")

    A stem for images of other channels and positions of another image size are made to fit, unless
    it is strict. A variable is taken whatever collection holds it, as frozen normalisation has its
    scale in `batch_stats` instead of `params`.

    Args:
        variables: Variables {collection: tree} as `pretrained.load` returns them.
        fresh: Freshly initialised variables.
        there: Path of the part of `variables` to take, "" for everything.
        here: Path of the part of `fresh` to fill, "" for everything.
        strict: Whether every variable of either part must have its counterpart in the other.

    Raises:
        ValueError: If a part does not exist, less than half of the values to fill fit, or, if it is
            strict, any name or shape differs; the message lists what has no counterpart.
    """
    source, target = _below(variables, there, "there"), _below(fresh, here, "here")
    old, new = flat(variables), flat(fresh)
    by_path = {path: key for key, path in source.items()}
    exact = {(key[0], path): key for key, path in source.items()}
    fits, changed = {}, {}
    for key, path in target.items():
        match = exact.get((key[0], path), by_path.get(path))
        if match is None:
            continue
        if np.shape(old[match]) == np.shape(new[key]):
            fits[key] = match
        elif not strict and (value := adapted(path, old[match], np.shape(new[key]))) is not None:
            fits[key], changed[key] = match, value
    left = sorted(key for key in target if key not in fits)
    unused = sorted(source.keys() - set(fits.values()))
    fitting = sum(np.size(new[key]) for key in fits)
    total = sum(np.size(new[key]) for key in target)
    if fitting < total / 2 or (strict and (left or unused)):
        raise ValueError(
            f"the weights are of another model: {fitting:,} of {total:,} values fit\n"
            f"only in the model, or of another shape there: {_some(left, new)}\n"
            f"only in the weights, or of another shape there: {_some(unused, old)}"
        )
    message = f"took {fitting:,} of {total:,} values"
    if left:
        message += f"; fresh: {_some(left, new)}"
    if changed:
        message += f"; made to fit: {_some(sorted(changed), new)}"
    filled = new | {key: old[match] for key, match in fits.items()} | changed
    return Transferred(traverse_util.unflatten_dict(filled), _paths(fits), _paths(left), message)


def _below(variables: Mapping[str, Any], part: str, argument: str) -> dict[Key, str]:
    """Returns the path below a part of each of its variables."""
    paths = {key: "/".join(key[1:]) for key in flat(variables)}
    if not part:
        return paths
    prefix = part.rstrip("/") + "/"
    below = {k: path.removeprefix(prefix) for k, path in paths.items() if path.startswith(prefix)}
    if not below:
        parts = sorted({path.partition("/")[0] for path in paths.values()})
        raise ValueError(
            f"{argument} must be one of {', '.join(parts)} or a part of it, got {part}"
        )
    return below


def _paths(keys: Iterable[Key]) -> tuple[str, ...]:
    return tuple(sorted("/".join(key[1:]) for key in keys))


def _some(keys: Sequence[Key], arrays: Mapping[Key, Any], most: int = 8) -> str:
    """Writes some variables with their shapes."""
    shown = [f"{'/'.join(key[1:])} {list(np.shape(arrays[key]))}" for key in keys[:most]]
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(shown) + more if keys else "nothing"
