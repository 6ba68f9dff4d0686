"""VGG weights of torchvision and timm."""

import re
from collections.abc import Mapping

import numpy as np

from jaxvision.models.backbones.vgg import VARIANTS, VGGClassifier, vgg_classifier
from jaxvision.pretrained.layout import flattened_to_flax_layout

NAMES = VARIANTS

_DENSE = {"fc6": "classifier.0", "fc7": "classifier.3", "head": "classifier.6"}
_TIMM = {
    "pre_logits.fc1": "classifier.0",
    "pre_logits.fc2": "classifier.3",
    "head.fc": "classifier.6",
}
_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}


def build(name: str, state: Mapping[str, np.ndarray]) -> VGGClassifier:
    """Builds the variant with as many classes as the weights have."""
    bias = canonical(name, state).get("classifier.6.bias")
    return vgg_classifier(name, num_classes=1000 if bias is None else len(bias))


def canonical(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives timm's dense layers, which are convolutions, torchvision's names and shapes."""
    renamed = {}
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if layer in _TIMM:
            key = f"{_TIMM[layer]}.{leaf}"
            value = value.reshape(len(value), -1) if value.ndim == 4 else value
        renamed[key] = value
    return renamed


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stage1_conv1/kernel`, to the reference's name."""
    layer, leaf = path.removeprefix("backbone/").split("/")
    leaf = _LEAVES.get(leaf, leaf)
    match = re.fullmatch(r"stage(\d)_(conv|norm)(\d)", layer)
    if match is None:
        return f"{_DENSE[layer]}.{leaf}"
    # torchvision numbers every module of its `features`: convolution, normalisation, ReLU; pool.
    stage, kind, number = int(match[1]), match[2], int(match[3])
    row = VARIANTS[name]
    step = 3 if row.get("norm") else 2
    before = sum(step * depth + 1 for depth in row["depths"][: stage - 1])
    return f"features.{before + step * (number - 1) + (kind == 'norm')}.{leaf}"


def adapt(name: str, path: str, value: np.ndarray) -> np.ndarray:
    """Reorders the inputs of the layer after the flattened map."""
    return flattened_to_flax_layout(value, side=7) if path == "fc6/kernel" else value
