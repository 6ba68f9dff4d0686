"""MobileNetV3 weights of torchvision: the name table."""

import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.mobilenet_v3 import VARIANTS, mobilenet_v3_classifier

NAMES = VARIANTS


def build(name: str, state: Mapping[str, np.ndarray]) -> nn.Module:
    """Builds the variant with as many classes as the weights have."""
    bias = state.get("classifier.3.bias")
    return mobilenet_v3_classifier(name, num_classes=1000 if bias is None else len(bias))


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem/conv/kernel`, to torchvision's name of it."""
    rows = VARIANTS[name]["rows"]

    def layer(match: re.Match[str]) -> str:
        # Theirs are numbered: a block without expansion or squeeze-and-excitation counts less.
        i = int(match[1])
        row, width = rows[i - 1], rows[i - 2].features if i > 1 else 16
        layers = ["depthwise"]
        if row.expanded != width:
            layers.insert(0, "expand")
        if row.squeeze:
            layers.append("se")
        layers.append("project")
        part, _, rest = match[2].partition("/")
        if part == "depthwise":
            rest = f"conv/{rest}"
        part, _, is_norm = part.partition("_")
        if is_norm:
            rest = f"norm/{rest}"
        return f"features/{i}/block/{layers.index(part)}/{rest}"

    for pattern, replacement in (
        (r"^head/", "classifier/3/"),
        (r"^hidden/", "classifier/0/"),
        (r"^backbone/stem/", "features/0/"),
        (r"^backbone/expand/", f"features/{len(rows) + 1}/"),
        (r"^backbone/block(\d+)/(.*)$", layer),
        (r"/reduce/", "/fc1/"),
        (r"/expand/", "/fc2/"),
        (r"/conv/", "/0/"),
        (r"/norm/", "/1/"),
        (r"/(kernel|scale)$", "/weight"),
        (r"/(mean|var)$", r"/running_\1"),
    ):
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
