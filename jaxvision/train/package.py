"""A trained model as two files that others can load: `model.safetensors` and `config.json`.

Of a checkpoint it has the variables that evaluation uses and the meta; not the optimizer's state,
so that a run cannot be continued from it. Nothing in it is executed when it is read.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from flax import traverse_util

from jaxvision.data.files import replacing, write_whole
from jaxvision.pretrained.read import read_safetensors
from jaxvision.pretrained.variables import flat
from jaxvision.train.step_folders import LAYOUT

WEIGHTS, CONFIG = "model.safetensors", "config.json"
# Of the description in the metadata of a single file.
KEY = "jaxvision"
_MAX_DEPTH = 64  # parts of a variable's path
# Values of a config that name places on its user's machine.
_PLACES = ("path", "tokenizer", "eval", "decoded")


def is_package(folder: pathlib.Path) -> bool:
    """Says whether a folder holds a packaged model."""
    return (folder / WEIGHTS).is_file() and (folder / CONFIG).is_file()


def write_package(
    folder: pathlib.Path, variables: Mapping[str, Any], meta: Mapping[str, Any], step: int
) -> None:
    """Writes a trained model; paths in its config are left out.

    Args:
        folder: Made if it is missing.
        variables: {"params", **other collections}.
        meta: That of the checkpoint: recipe, config, info, versions.
        step: Training steps made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as file:
        safetensors.numpy.save_file(joined(variables), file)
    text = json.dumps(described(meta, step), indent=2, ensure_ascii=False)
    write_whole(folder / CONFIG, text + "\n")


def joined(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Maps {"params", **other collections} to {path with slashes: array}."""
    return {"/".join(key): x for key, x in flat(variables).items()}


def described(meta: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Returns a meta without the places of its machine, with what `checked` needs."""
    config = {**meta["config"], "weights": ""}
    data = {name: "" if name in _PLACES else x for name, x in config.get("data", {}).items()}
    return {**meta, "config": {**config, "data": data}, "step": step, "layout": LAYOUT}


def checked(text: str | None, file: pathlib.Path) -> tuple[int, dict[str, Any]]:
    """Reads what `described` returned, as JSON; returns the step and the meta.

    Raises:
        ValueError: If it is something else, or of another version of jaxvision.
    """
    try:
        meta = json.loads(text or "null")
        step, layout = int(meta["step"]), int(meta["layout"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{file} is not that of a model of jaxvision: {error!r}") from error
    if layout != LAYOUT:
        raise ValueError(
            f"{file} was written by another version of jaxvision (layout {layout}, this version "
            f"reads {LAYOUT})"
        )
    return step, meta


def read_package_meta(folder: pathlib.Path) -> tuple[int, dict[str, Any]]:
    """Reads the step and the meta of a packaged model.

    Raises:
        ValueError: If it is damaged, or of another version of jaxvision.
    """
    file = folder / CONFIG
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not that of a model of jaxvision: {error}") from error
    return checked(text, file)


def read_package(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads the variables, as numpy arrays, and the meta of a packaged model.

    Raises:
        ValueError: If it is damaged, or of another version of jaxvision.
    """
    _, meta = read_package_meta(folder)
    return read_arrays(folder / WEIGHTS), meta


def read_arrays(file: pathlib.Path) -> dict[str, Any]:
    """Reads variables that are named as by `joined`.

    Raises:
        ValueError: If the file is damaged, or values are not finite.
    """
    arrays = read_safetensors(file)
    for name, values in arrays.items():
        if name.count("/") >= _MAX_DEPTH:
            raise ValueError(f"{file}: {name[:100]}... is no name of a variable")
        if np.issubdtype(values.dtype, np.inexact) and not np.isfinite(values).all():
            raise ValueError(f"{file}: {name} holds NaN or infinite values")
    try:
        return traverse_util.unflatten_dict(arrays, sep="/")
    except (TypeError, ValueError) as error:  # a name that is also a part of another
        raise ValueError(f"{file} does not hold the variables of one model: {error}") from error
