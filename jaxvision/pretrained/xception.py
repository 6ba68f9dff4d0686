"""Xception of timm, `legacy_xception`, https://github.com/huggingface/pytorch-image-models."""

import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.xception import VARIANTS, xception_classifier

NAMES = VARIANTS

# Our name on the left, theirs on the right, applied in this order.
_TABLE = (
    (r"/norm/(mean|var)$", r"/norm/running_\1"),
    (r"/norm/scale$", "/norm/weight"),
    (r"/kernel$", "/weight"),
    (r"^head/", "fc/"),
    (r"^backbone/", ""),
    (r"^stem_conv(\d)/conv/", r"conv\1/"),
    (r"^stem_conv(\d)/norm/", r"bn\1/"),
    (r"^exit_separable(\d)/(norm/)?", lambda m: f"{'bn' if m[2] else 'conv'}{int(m[1]) + 2}/"),
    (r"/depthwise/", "/conv1/"),
    (r"/shortcut/conv/", "/skip/"),
    (r"/shortcut/norm/", "/skipbn/"),
    (r"^(block(\d+))/separable(\d)/(norm/)?", lambda m: f"{m[1]}/rep/{_index(m)}/"),
)


def _index(match: re.Match[str]) -> int:
    # theirs is one list of (ReLU, convolution, norm), from which block 1 lacks the first ReLU
    index = 3 * (int(match[3]) - 1) + (match[2] != "1")
    return index + 1 if match[4] else index


def build(name: str, state: Mapping[str, np.ndarray]) -> nn.Module:
    """Builds the classifier with as many classes as the weights have."""
    bias = state.get("fc.bias")
    return xception_classifier(name, num_classes=1000 if bias is None else len(bias))


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem_conv1/conv/kernel`, to timm's name of it."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
