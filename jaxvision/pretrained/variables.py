"""One loop that fills variables from a reference's tensors, and one that writes them back."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from flax import traverse_util

from jaxvision.pretrained.family import Source, Weights


def flat(variables: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Returns variables by (collection, name, ...)."""
    return cast(dict[tuple[str, ...], Any], traverse_util.flatten_dict(variables))


def to_variables(template: Mapping[str, Any], weights: Weights) -> dict[str, Any]:
    """Fills variables from a reference's tensors.

    Args:
        template: Shapes and dtypes of our variables, {collection: tree}.
        weights: One tensor for each variable.

    Returns:
        Variables of the template's structure, numpy arrays.

    Raises:
        ValueError: If tensors are left over or missing, a shape differs, or values are no finite
            real numbers, or a negative variance; all are listed.
    """
    source, state = weights.source, weights.state
    filled, missing, mismatched, used = {}, [], [], set()
    faulty: dict[str, list[str]] = {}
    for key, leaf in flat(template).items():
        path = "/".join(key[1:])
        name, layout = source.reference_name(path), source.layout_of(path)
        if name not in state:
            missing.append(f"{name} (our {path})")
            continue
        used.add(name)
        tensor = state[name]
        # A view without memory behind it.
        expected = layout.export(np.broadcast_to(np.float32(0), leaf.shape)).shape
        if tensor.shape != expected:
            mismatched.append(f"{name}: expected {expected}, got {tensor.shape} (our {path})")
            continue
        if not np.issubdtype(tensor.dtype, np.floating):
            faulty.setdefault("not of float32, float64, float16 or bfloat16", []).append(
                f"{name}: {tensor.dtype}"
            )
            continue
        with np.errstate(over="ignore"):
            filled[key] = np.asarray(layout.load(tensor), leaf.dtype, order="C")
        if fault := _fault(filled[key], key[-1]):
            faulty.setdefault(fault, []).append(name)
    unused = [
        name
        for name in state
        if name not in used and name.rpartition(source.separator)[2] not in source.ignored
    ]
    raise_if_any(
        "the weights do not fit the model",
        {
            "missing in the weights": missing,
            "not used by the model": unused,
            "of another shape": mismatched,
            **faulty,
        },
    )
    return traverse_util.unflatten_dict(filled)


def _fault(values: np.ndarray, leaf: str) -> str:
    """Says what is wrong with the values of a variable, whose last name is `leaf`."""
    if not np.isfinite(values).all():
        return "NaN or infinite, also as float32"
    if leaf == "var" and (values < 0).any():
        return "negative variances"
    return ""


def to_state(variables: Mapping[str, Any], source: Source) -> dict[str, np.ndarray]:
    """Writes variables under a reference's names and in its layout, one tensor for each.

    Args:
        variables: {collection: tree} of arrays.
        source: Whose names and layouts.

    Returns:
        {reference name: array}, before `Source.pack`.

    Raises:
        ValueError: If two variables have one name.
    """
    state: dict[str, np.ndarray] = {}
    leaves = flat(variables)
    for key, value in leaves.items():
        path = "/".join(key[1:])
        name = source.reference_name(path)
        if name in state:
            raise ValueError(f"two variables have the reference's name {name}, one is {path}")
        state[name] = np.asarray(source.layout_of(path).export(np.asarray(value)), order="C")
        # Frozen statistics, whose scale is not among the parameters, are not counted.
        if name.endswith(".running_mean") and ("params", *key[1:-1], "scale") in leaves:
            counter = name.replace("running_mean", "num_batches_tracked")
            state[counter] = np.zeros((), np.int64)
    by_path = {"/".join(key[1:]): np.asarray(value) for key, value in leaves.items()}
    return state | dict(source.computed(by_path))


def raise_if_any(message: str, problems: Mapping[str, list[str]]) -> None:
    """Raises an error that lists all problems under their titles, if there are any.

    Raises:
        ValueError: If any list has an entry.
    """
    lines = [
        f"{title}:\n  " + "\n  ".join(sorted(names)) for title, names in problems.items() if names
    ]
    if lines:
        raise ValueError("\n".join([message, *lines]))
