"""GoogLeNet weights of torchvision: the name table."""

import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.googlenet import googlenet_classifier
from jaxvision.pretrained.layout import flattened_to_flax_layout

NAMES = ("googlenet",)

# Our name on the left, theirs on the right, applied in this order.
_TABLE = (
    (r"/norm/(mean|var)$", r"/bn/running_\1"),
    (r"/norm/scale$", "/bn/weight"),
    (r"/norm/bias$", "/bn/bias"),
    (r"/kernel$", "/weight"),
    (r"^head/", "fc/"),
    (r"^auxiliary(\d)/", r"aux\1/"),
    (r"^(aux\d)/hidden/", r"\1/fc1/"),
    (r"^(aux\d)/head/", r"\1/fc2/"),
    (r"^backbone/", ""),
    (r"^stem_conv(\d)/", r"conv\1/"),
    (r"/branch1x1/", "/branch1/"),
    (r"/branch3x3_reduce/", "/branch2/0/"),
    (r"/branch3x3/", "/branch2/1/"),
    (r"/branch5x5_reduce/", "/branch3/0/"),
    (r"/branch5x5/", "/branch3/1/"),
    (r"/branch_pool/", "/branch4/1/"),
)


def build(name: str, state: Mapping[str, np.ndarray]) -> nn.Module:
    """Builds the model with the classes and with or without auxiliary heads as the weights are."""
    bias = state.get("fc.bias")
    return googlenet_classifier(
        name,
        num_classes=1000 if bias is None else len(bias),
        auxiliary=any(key.startswith("aux") for key in state),
    )


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem_conv1/conv/kernel`, to torchvision's name."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")


def adapt(name: str, path: str, value: np.ndarray) -> np.ndarray:
    """Reorders the dense layers that follow the auxiliary heads' flattened maps of 4 x 4."""
    if re.fullmatch(r"auxiliary\d/hidden/kernel", path):
        return flattened_to_flax_layout(value, side=4)
    return value
