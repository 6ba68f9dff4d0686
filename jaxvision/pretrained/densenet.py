"""DenseNet weights of torchvision, with those that it published before it renamed its layers."""

import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.densenet import VARIANTS, densenet_classifier

# The authors' CIFAR networks have no weights under torchvision's names.
NAMES = tuple(name for name in VARIANTS if not name.startswith("densenet_bc"))

# Our name on the left, torchvision's on the right, applied in this order.
_TABLE = (
    (r"^head/", "classifier/"),
    (r"^backbone/", "features/"),
    (r"/stem/(conv|norm)/", r"/\g<1>0/"),
    (r"^features/norm/", "features/norm5/"),
    (r"/block(\d)_layer(\d+)/", r"/denseblock\1/denselayer\2/"),
    (r"/reduce/(conv|norm)/", r"/\g<1>1/"),
    (r"/spatial/(conv|norm)/", r"/\g<1>2/"),
    (r"/(kernel|scale)$", "/weight"),
    (r"/(mean|var)$", r"/running_\1"),
)


def build(name: str, state: Mapping[str, np.ndarray]) -> nn.Module:
    """Builds the variant with as many classes as the weights have."""
    bias = state.get("classifier.bias")
    return densenet_classifier(name, num_classes=1000 if bias is None else len(bias))


def canonical(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Turns the published files' `denselayer1.norm.1.weight` to `denselayer1.norm1.weight`."""
    old = re.compile(r"(denselayer\d+\.(?:conv|norm))\.(?=[12]\.)")
    return {old.sub(r"\1", key): value for key, value in state.items()}


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem/conv/kernel`, to torchvision's name of it."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
