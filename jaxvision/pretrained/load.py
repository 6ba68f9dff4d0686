"""Reference checkpoints to our variables, strictly: every tensor used, every variable filled."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import linen as nn

from jaxvision.pretrained.families import family
from jaxvision.pretrained.family import Family
from jaxvision.pretrained.read import read_state
from jaxvision.pretrained.variables import to_variables


def load(
    name: str, path_or_state: str | os.PathLike[str] | Mapping[str, np.ndarray], **overrides: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """Builds a model and fills it with a reference implementation's weights.

        model, variables = pretrained.load("yolox_s", "yolox_s.pth")
        predictions = model.apply(variables, images, train=False)

        model, variables = pretrained.load("vit_b_16", "vit_b_16.npz", image_size=384)

    Args:
        name: A variant, as `models.variants()` lists them.
        path_or_state: A `.safetensors` or `.npz` file, a PyTorch `.pth` or `.pt` file, which is
            read without PyTorch and without running anything in it, Darknet's `.weights` for its
            detectors, or {reference name: array}.
        **overrides: Fields of the classifier's backbone, or of the detector, to replace, such as
            `dtype` or `norm`; a ViT's `image_size` interpolates the embeddings of its positions.

    Returns:
        The module and its variables {"params", "batch_stats"}.

    Raises:
        ValueError: If there is no such variant or field, names or shapes of the weights are not
            those of the reference, or their values are not finite real numbers; the message lists
            what is left over on both sides.
    """
    kind = family(name)
    state = _read(kind, name, path_or_state)
    try:
        weights = kind.read(name, state)
        model = _override(kind.build(name, weights), overrides)
        shapes = kind.shapes(model, kind.channels(weights))
        return model, to_variables(shapes, kind.resize(model, weights))
    # What takes tensors apart, and what builds a model of their sizes, expects the reference's.
    except (TypeError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise ValueError(f"the weights are not those of {name}: {reason}") from error


def _read(
    kind: Family, name: str, path_or_state: str | os.PathLike[str] | Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    if isinstance(path_or_state, (str, os.PathLike)):
        path = os.fspath(path_or_state)
        if read := kind.read_file.get(os.path.splitext(path)[1].lower()):
            return read(name, path)
    return read_state(path_or_state)


def _override(model: nn.Module, fields: dict[str, Any]) -> nn.Module:
    """Replaces fields in a model and its backbone, in both where both have them, as `dtype`."""
    backbone = getattr(model, "backbone", None)
    own, inner = _fields(model) - {"backbone"}, _fields(backbone)
    unknown = fields.keys() - own - inner
    if unknown:
        raise ValueError(
            f"fields of {type(backbone or model).__name__} are {', '.join(sorted(own | inner))}, "
            f"got {', '.join(sorted(unknown))}"
        )
    changes = {name: value for name, value in fields.items() if name in own}
    if backbone is not None:
        of_backbone = {name: value for name, value in fields.items() if name in inner}
        changes["backbone"] = backbone.clone(**of_backbone)
    return model.clone(**changes)


def _fields(module: nn.Module | None) -> set[str]:
    if module is None:
        return set()
    return {field.name for field in dataclasses.fields(module)} - {"parent", "name"}
