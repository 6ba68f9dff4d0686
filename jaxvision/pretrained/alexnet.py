"""AlexNet weights of torchvision."""

from collections.abc import Mapping

import numpy as np

from jaxvision.models.backbones.alexnet import AlexNetClassifier, alexnet_classifier
from jaxvision.pretrained.layout import flattened_to_flax_layout

# There are no weights of the original in PyTorch's formats.
NAMES = ("alexnet",)

_LAYERS = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
    "head": "classifier.6",
}


def build(name: str, state: Mapping[str, np.ndarray]) -> AlexNetClassifier:
    """Builds the variant with as many classes as the weights have."""
    bias = state.get("classifier.6.bias")
    return alexnet_classifier(name, num_classes=1000 if bias is None else len(bias))


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/conv1/kernel`, to the reference's name of it."""
    layer, leaf = path.removeprefix("backbone/").split("/")
    return f"{_LAYERS[layer]}.{leaf.replace('kernel', 'weight')}"


def adapt(name: str, path: str, value: np.ndarray) -> np.ndarray:
    """Reorders the inputs of the layer after the flattened map."""
    return flattened_to_flax_layout(value, side=6) if path == "fc6/kernel" else value
