"""Starting a run from weights that were trained for other classes."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from flax import traverse_util


def transfer(
    pretrained: Mapping[str, Any], initial: Mapping[str, Any], *, part: str | None = None
) -> dict[str, Any]:
    """Fills fresh variables with pretrained ones; layers of another size stay as they are.

    That is what fine-tuning needs: the last layer of a detector or classifier has one output a
    class, and everything before it fits.

    Args:
        pretrained: Variables as `pretrained.load` returns them.
        initial: Freshly initialised variables of the same architecture.
        part: Name of the one part of both that is filled, as `backbone` of a classifier for a
            detector; the rest stays fresh, and the architectures may differ there.

    Returns:
        Variables of `initial`'s structure, numpy arrays or those of `initial`.

    Raises:
        ValueError: If the names differ, or if not even half of the parameters fit.
    """
    source = _flat(pretrained, part)
    target = _flat(initial, part)
    if source.keys() != target.keys():
        names = ["/".join(key) for key in source.keys() ^ target.keys()]
        raise ValueError(f"the weights are of another model: only one has {', '.join(names[:5])}")
    fits = {key: np.shape(source[key]) == np.shape(value) for key, value in target.items()}
    fitting = sum(np.size(target[key]) for key, fit in fits.items() if fit)
    total = sum(np.size(value) for value in target.values())
    if fitting < total / 2:
        raise ValueError(
            f"the weights are of another size of model: {fitting:,} of {total:,} values fit"
        )
    filled = {key: source[key] if fits[key] else value for key, value in target.items()}
    fresh = ["/".join(key[1:]) for key, fit in fits.items() if not fit]
    print(
        f"started from weights: {fitting:,} of {total:,} values"
        + (f"; fresh: {', '.join(fresh)}" if fresh else "")
    )
    return traverse_util.unflatten_dict(_flat(initial) | filled)


def _flat(variables: Mapping[str, Any], part: str | None = None) -> dict[tuple[str, ...], Any]:
    """Returns variables by (collection, name, ...), of the part alone if there is one."""
    flat = cast(Mapping[tuple[str, ...], Any], traverse_util.flatten_dict(variables))
    return {key: value for key, value in flat.items() if part in (None, key[1])}
