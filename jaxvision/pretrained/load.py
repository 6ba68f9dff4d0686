"""Reference checkpoints to our variables, strictly: every tensor used, every variable filled."""

import os
from collections.abc import Callable, Mapping
from typing import Any, cast

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util

from jaxvision.pretrained import yolox
from jaxvision.pretrained.read import read_state

FAMILIES = (yolox,)


def load(
    name: str, path_or_state: str | os.PathLike[str] | Mapping[str, np.ndarray]
) -> tuple[nn.Module, dict[str, Any]]:
    """Builds a model and fills it with a reference implementation's weights.

        model, variables = pretrained.load("yolox_s", "yolox_s.pth")
        predictions = model.apply(variables, images, train=False)

    Args:
        name: A variant, as `models.variants()` lists them.
        path_or_state: A `.safetensors` or `.npz` file, a PyTorch `.pth` or `.pt` file, which is
            read without PyTorch and without running anything in it, or {reference name: array}.

    Returns:
        The module and its variables {"params", "batch_stats"}.

    Raises:
        ValueError: If there is no such variant, or names or shapes of the weights are not those
            of the reference; the message lists what is left over on both sides.
    """
    family = next((f for f in FAMILIES if name in f.NAMES), None)
    if family is None:
        known = ", ".join(n for f in FAMILIES for n in f.NAMES)
        raise ValueError(f"name must be one of {known}, got {name}")
    state = read_state(path_or_state)
    model = family.build(name, state)
    images = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    template = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    variables = fill(
        template,
        state,
        lambda path: family.reference_name(name, path),
        lambda path, value: family.adapt(name, path, value),
    )
    return model, variables


def fill(
    template: Any,
    state: Mapping[str, np.ndarray],
    reference_name: Callable[[str], str],
    adapt: Callable[[str, np.ndarray], np.ndarray],
) -> dict[str, Any]:
    """Fills variables from a PyTorch state dict.

    Args:
        template: Shapes and dtypes of our variables, {collection: tree}.
        state: {reference name: array} in PyTorch's layout.
        reference_name: Maps a variable's path, without its collection, to the reference's name.
        adapt: Maps (path, value in our layout) to the value to store.

    Returns:
        Variables of the template's structure, numpy arrays.

    Raises:
        ValueError: If tensors are left over or missing, or a shape differs; all are listed.
    """
    filled, missing, mismatched, used = {}, [], [], set()
    leaves = cast(Mapping[tuple[str, ...], Any], traverse_util.flatten_dict(template))
    for key, leaf in leaves.items():
        path = "/".join(key[1:])
        source = reference_name(path)
        if source not in state:
            missing.append(f"{source} (our {path})")
            continue
        used.add(source)
        value = to_flax_layout(state[source])
        if value.shape != leaf.shape:
            mismatched.append(f"{source}: expected {leaf.shape}, got {value.shape} (our {path})")
            continue
        filled[key] = np.ascontiguousarray(adapt(path, value), leaf.dtype)
    # PyTorch counts the batches its running statistics saw; only a momentum of None reads it.
    unused = [n for n in state if n not in used and not n.endswith("num_batches_tracked")]
    problems = [
        f"{title}:\n  " + "\n  ".join(sorted(names))
        for title, names in (
            ("missing in the weights", missing),
            ("not used by the model", unused),
            ("of another shape (in our layout)", mismatched),
        )
        if names
    ]
    if problems:
        raise ValueError("the weights do not fit the model\n" + "\n".join(problems))
    return traverse_util.unflatten_dict(filled)


def to_flax_layout(value: np.ndarray) -> np.ndarray:
    """Turns a PyTorch tensor's axes to Flax's: OIHW to HWIO, [out, in] to [in, out]."""
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T if value.ndim == 2 else value
