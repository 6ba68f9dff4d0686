"""Weights in one safetensors file, with the config in its metadata."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from jaxvision import pretrained
from jaxvision.inference.export.options import Options
from jaxvision.recipes import detectors
from jaxvision.train.package import KEY, checked, described, joined

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Origin, Predictor


def write_weights(predictor: "Predictor", file: Path, options: Options) -> str:
    """Writes a safetensors file; see `write.export`."""
    origin = predictor.origin
    if origin is None:
        raise ValueError("only a predictor of a run has a config to write, got one of variables")
    variables = jax.tree.map(np.asarray, jax.device_get(predictor.variables))
    if options.names == "reference":
        arrays = pretrained.export(_variant(origin), variables)
    else:
        arrays = joined(variables)
    meta = {**described(origin.meta(), origin.step), "names": options.names}
    arrays = {name: np.ascontiguousarray(x).reshape(x.shape) for name, x in arrays.items()}
    safetensors.numpy.save_file(arrays, file, metadata={KEY: json.dumps(meta, ensure_ascii=False)})
    read = safetensors.numpy.load_file(file)
    if read.keys() != arrays.keys() or any(
        read[name].dtype != x.dtype or not np.array_equal(read[name], x)
        for name, x in arrays.items()
    ):
        raise ValueError("the file does not hold the model's weights, and was not written")
    return f"{len(arrays):,} arrays, read again bit for bit"


def read_weights_meta(file: Path) -> tuple[int, dict[str, Any]]:
    """Reads the step and the meta of a file that `write_weights` wrote.

    Raises:
        ValueError: If it is damaged, or not such a file.
    """
    try:
        with safetensors.safe_open(file, framework="numpy") as opened:
            text = (opened.metadata() or {}).get(KEY)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{file} is not complete: {error}") from error
    if text is None:
        raise ValueError(
            f"{file} holds weights without a config, as those of a reference; "
            "pretrained.load(NAME, file) reads them"
        )
    step, meta = checked(text, file)
    if meta.get("names") != "own":
        raise ValueError(
            f"{file} holds weights under a reference's names; pretrained.load(NAME, file) reads "
            "them"
        )
    return step, meta


def _variant(origin: "Origin") -> str:
    config = origin.config
    return (
        detectors.detector(config.method).full_name(config.variant)
        if "method" in config
        else (config.variant)
    )
