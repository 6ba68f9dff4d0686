"""Inception-v3 weights of torchvision: the name table."""

import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.inception_v3 import VARIANTS, inception_v3_classifier

NAMES = VARIANTS

# Our name on the left, theirs on the right, applied in this order.
_TABLE = (
    (r"/norm/(mean|var)$", r"/bn/running_\1"),
    (r"/norm/scale$", "/bn/weight"),
    (r"/norm/bias$", "/bn/bias"),
    (r"/kernel$", "/weight"),
    (r"^head/", "fc/"),
    (r"^auxiliary1/head/", "AuxLogits/fc/"),
    (r"^auxiliary1/conv(\d)/", lambda m: f"AuxLogits/conv{int(m[1]) - 1}/"),
    (r"^backbone/stem_conv(\d)/", lambda m: f"Conv2d_{_STEM[int(m[1]) - 1]}/"),
    (r"^backbone/mixed(\d\w)/", r"Mixed_\1/"),
    (r"/pool/conv1/", "/branch_pool/"),
    (r"(Mixed_6a/branch3x3)/conv1/", r"\1/"),
    (r"/branch1x1/conv1/", "/branch1x1/"),
    (r"/(branch\w+)/conv(\d)/", r"/\1_\2/"),
    (r"/branch3x3_row/", "/branch3x3_2a/"),
    (r"/branch3x3_column/", "/branch3x3_2b/"),
    (r"/branch3x3dbl_row/", "/branch3x3dbl_3a/"),
    (r"/branch3x3dbl_column/", "/branch3x3dbl_3b/"),
)
_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")


def template_size(name: str) -> int:
    """Side of the smallest image that the auxiliary head takes."""
    return 299


def build(name: str, state: Mapping[str, np.ndarray]) -> nn.Module:
    """Builds the model with the classes and with or without auxiliary head as the weights are."""
    bias = state.get("fc.bias")
    return inception_v3_classifier(
        name,
        num_classes=1000 if bias is None else len(bias),
        auxiliary=any(key.startswith("AuxLogits.") for key in state),
    )


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem_conv1/conv/kernel`, to torchvision's name."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
