"""Starting a run from the variables of other models, by prefix."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from jaxvision.train.experiment import InitFrom

_Names = tuple[str, ...]


def start_from(variables: Mapping[str, Any], source: InitFrom) -> dict[str, Any]:
    """Fills variables with those of another model.

    Args:
        variables: {"params": tree, **other collections}, freshly initialised.
        source: What to take, and where it goes.

    Returns:
        Variables of the same structure, numpy arrays where they were filled.

    Raises:
        ValueError: If a prefix names nothing, or not enough fits.
    """
    given = source.variables() if callable(source.variables) else source.variables
    there = _under(given, source.there, "there")
    here = _under(variables, source.here, "here")
    fits = {name for name in here if name in there and _shape(here[name]) == _shape(there[name])}
    fresh = [name for name in here if name not in fits]
    unused = [name for name in there if name not in fits]
    if source.strict and (fresh or unused):
        raise ValueError(_differences(there, here, [*fresh, *(x for x in unused if x not in here)]))
    total = sum(np.size(x) for x in here.values())
    taken = sum(np.size(here[name]) for name in fits)
    if taken < total / 2:
        raise ValueError(
            f"init_from: the variables are of another model, {taken:,} of {total:,} values fit\n"
            + _differences(there, here, fresh)
        )
    print(
        f"started from other variables: {taken:,} of {total:,} values"
        + (f"; fresh: {', '.join(map(_written, fresh[:10]))}" if fresh else "")
        + (f" and {len(fresh) - 10} more" if len(fresh) > 10 else "")
    )
    prefix = _prefix(source.here)
    filled = {(name[0], *prefix, *name[1:]): np.asarray(there[name]) for name in fits}
    flat = traverse_util.flatten_dict(dict(variables), keep_empty_nodes=True)
    return traverse_util.unflatten_dict(flat | filled)


def _under(variables: Mapping[str, Any], prefix: str, field: str) -> dict[_Names, Any]:
    """Lists the variables under a prefix: {(collection, *names after it): array}."""
    parts = _prefix(prefix)
    flat = traverse_util.flatten_dict(dict(variables))
    end = 1 + len(parts)
    found = {(k[0], *k[end:]): v for k, v in flat.items() if k[1:end] == parts and len(k) > end}
    if not found:
        known = sorted({name[1] for name in flat if len(name) > 1})
        raise ValueError(
            f"init_from: {field}={prefix!r} names no part of the model; parts are "
            f"{', '.join(known)}"
        )
    return found


def _prefix(prefix: str) -> _Names:
    return tuple(filter(None, prefix.split("/")))


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(np.shape(x))


def _written(name: _Names) -> str:
    return "/".join(name[1:] if name[0] == "params" else name)


def _differences(there: Mapping[_Names, Any], here: Mapping[_Names, Any], names: list[Any]) -> str:
    def shape(tree: Mapping[_Names, Any], name: _Names) -> str:
        return str(list(_shape(tree[name]))) if name in tree else "none"

    lines = [f"  {_written(n)}: {shape(there, n)} there, {shape(here, n)} here" for n in names]
    if len(lines) > 10:
        lines[10:] = [f"  and {len(lines) - 10} more"]
    return "init_from: variables that have no counterpart of the same shape:\n" + "\n".join(lines)
