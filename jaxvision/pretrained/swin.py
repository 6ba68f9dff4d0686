"""Swin weights of torchvision, timm and the authors, known by their names."""

import re
from collections.abc import Mapping

import numpy as np

from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.backbones.swin import VARIANTS, swin_classifier
from jaxvision.pretrained.depth import check_depth

NAMES = VARIANTS

# Our name on the left, torchvision's on the right, applied in this order. Its stages are the odd
# entries of `features`, the merges before them the even ones.
_TABLE = (
    (r"^backbone/", ""),
    (r"^patch_embedding/", "features/0/0/"),
    (r"^patch_norm/", "features/0/2/"),
    (r"^stage(\d)_block(\d+)/", lambda m: f"features/{2 * int(m[1]) - 1}/{int(m[2]) - 1}/"),
    (r"^merge(\d)/", lambda m: f"features/{2 * int(m[1]) - 2}/"),
    (r"/reduce/", "/reduction/"),
    (r"/attention_norm/", "/norm1/"),
    (r"/mlp_norm/", "/norm2/"),
    (r"/relative_position_bias$", "/attn/relative_position_bias_table"),
    (r"/attention/out/", "/attn/proj/"),
    (r"/attention/", "/attn/"),
    (r"/mlp/expand/", "/mlp/0/"),
    (r"/mlp/project/", "/mlp/3/"),
    (r"/(kernel|scale)$", "/weight"),
)
# timm's and the authors' name on the left, torchvision's on the right.
_TIMM = (
    (r"^patch_embed\.proj\.", "features.0.0."),
    (r"^patch_embed\.norm\.", "features.0.2."),
    (r"^layers\.(\d)\.blocks\.", lambda m: f"features.{2 * int(m[1]) + 1}."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^head\.fc\.", "head."),
)
# Stored with the weights, computed here.
_CONSTANTS = ("relative_position_index", "attn_mask")


def build(name: str, state: Mapping[str, np.ndarray]) -> PooledClassifier:
    """Builds the variant with as many classes as the weights have.

    Raises:
        ValueError: If the weights have another number of blocks.
    """
    tensors = canonical(name, state)
    depth = sum(VARIANTS[name]["depths"])
    check_depth(name, depth, tensors, r"^features\.(\d+\.\d+)\.norm1\.")
    bias = tensors.get("head.bias")
    return swin_classifier(name, num_classes=1000 if bias is None else len(bias))


def canonical(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives the weights torchvision's names, and leaves out what is no parameter."""
    # The authors merge at the end of a stage, timm at the beginning of the next.
    merge = 2 if any(key.startswith("layers.0.downsample.") for key in state) else 0
    table = (
        *_TIMM,
        (r"^layers\.(\d)\.downsample\.", lambda m: f"features.{2 * int(m[1]) + merge}."),
    )
    renamed = {}
    for key, value in state.items():
        if key.rpartition(".")[2] in _CONSTANTS:
            continue
        for pattern, replacement in table:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def reference_name(name: str, path: str) -> str:
    """Translates a path, `backbone/stage1_block1/attention/qkv/kernel`, to torchvision's name."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
