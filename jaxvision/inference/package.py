"""A trained run packed for others: weights, config, and a model card."""

import math
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from jaxvision import __version__
from jaxvision.data.files import write_whole
from jaxvision.inference.predictor import Predictor
from jaxvision.train.package import write_package

_TASKS = {
    "Detector": "object-detection",
    "Classifier": "image-classification",
    "Segmenter": "image-segmentation",
    "Upscaler": "image-to-image",
    "Translator": "translation",
}
_CLASSES = 100  # that the card names
_VALUES = ("image_size", "epochs", "batch_size", "seed", "dtype")


def pack(
    predictor: Predictor, folder: Path, metrics: Mapping[str, float], name: str, licence: str = ""
) -> None:
    """Writes a predictor's model into a folder.

    Args:
        predictor: A run that was loaded.
        folder: Gets `model.safetensors`, `config.json` and `README.md`.
        metrics: Of the run's evaluation, by their full names.
        name: `owner/name`, under which the card says to load it.
        licence: SPDX identifier of the weights, for the card.

    Raises:
        ValueError: If the predictor is not of a run.
    """
    origin = predictor.origin
    if origin is None:
        raise ValueError("only a predictor of a run can be packed, got one of other variables")
    variables = jax.tree.map(np.asarray, jax.device_get(predictor.variables))
    write_package(folder, variables, origin.meta(), origin.step)
    write_whole(folder / "README.md", card(predictor, metrics, name, licence))


def card(predictor: Predictor, metrics: Mapping[str, float], name: str, licence: str = "") -> str:
    """Writes a model card in Markdown; see `pack`."""
    origin = predictor.origin
    if origin is None:
        raise ValueError("a card describes a run, got a predictor of other variables")
    kind, config = type(predictor).__name__, origin.config
    size = sum(x.size for x in jax.tree.leaves(predictor.params))
    head = ["---", "library_name: jaxvision", f"pipeline_tag: {_TASKS.get(kind, 'other')}"]
    head += [f"license: {licence}"] if licence else []
    lines = [*head, "tags: [jax, flax]", "---", "", f"# {name.rpartition('/')[2]}", ""]
    lines.append(
        f"A {kind.lower()}: `{config.variant}` with {size:,} parameters, trained by "
        f"[jaxvision](https://pypi.org/project/jaxvision/) {__version__} for {origin.step:,} steps "
        f"on data of the format `{config.data.source}`."
    )
    finite = {k: v for k, v in metrics.items() if math.isfinite(v)}
    if finite:
        lines += ["", "## Metrics", "", "| metric | value |", "|---|---|"]
        lines += [f"| {key} | {value:.4g} |" for key, value in finite.items()]
    classes = list(origin.info.get("class_names", ()))
    if classes:
        more = f" and {len(classes) - _CLASSES} more" if len(classes) > _CLASSES else ""
        lines += ["", f"## {len(classes)} classes", "", ", ".join(classes[:_CLASSES]) + more]
    lines += ["", "## Training", "", "| value | |", "|---|---|"]
    lines += [f"| {key} | {config[key]} |" for key in _VALUES if key in config]
    rate, optimizer = config.optimizer.learning_rate, config.optimizer.name
    lines += [
        f"| optimizer | {optimizer}, learning rate {rate} |",
        "",
        "All values: `config.json`.",
    ]
    what = {"Translator": "sentence", "WordVectors": "word"}.get(kind, "image.jpg")
    lines += ["", "## Use", "", "```bash", "pip install 'jaxvision[hub]'", "```", "", "```python"]
    lines += ["import jaxvision", "", f'predictor = jaxvision.load("hf://{name}")']
    lines += [f'predictor("{what}")', "```", ""]
    return "\n".join(lines)
