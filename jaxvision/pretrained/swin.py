"""Swin weights of torchvision, timm and the authors."""

import re

import numpy as np

from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.backbones.swin import (
    VARIANTS,
    relative_position_index,
    shift_mask,
    swin_classifier,
)
from jaxvision.pretrained.family import Family, Source, State, Weights, check_depth
from jaxvision.pretrained.names import Rules

WINDOW = 7
# Side of the first stage's map of the images of 224 x 224 that the authors' masks are for.
FIRST_SIDE = 56
# Stored with the weights, computed here.
IGNORED = ("relative_position_index", "attn_mask")

_BLOCK_RULES: Rules = (
    ("/reduce/", "/reduction/"),
    ("/attention_norm/", "/norm1/"),
    ("/mlp_norm/", "/norm2/"),
    ("/relative_position_bias$", "/attn/relative_position_bias_table"),
    ("/attention/out/", "/attn/proj/"),
    ("/attention/", "/attn/"),
    ("/(?:kernel|scale)$", "/weight"),
)
_TIMM_RULES: Rules = (
    ("^backbone/", ""),
    ("^patch_embedding/", "patch_embed/proj/"),
    ("^patch_norm/", "patch_embed/norm/"),
    ("^stage{stage}_block{block}/", "layers/{stage-1}/blocks/{block-1}/"),
    ("/mlp/expand/", "/mlp/fc1/"),
    ("/mlp/project/", "/mlp/fc2/"),
    *_BLOCK_RULES,
)


def _flat_indices(variables: State) -> State:
    """Returns torchvision's table of offsets for each block."""
    index = relative_position_index(WINDOW).astype(np.int64).ravel()
    paths = [path for path in variables if path.endswith("/relative_position_bias")]
    names = [TORCHVISION.reference_name(path).removesuffix("_bias_table") for path in paths]
    return {f"{name}_index": index for name in names}


def _indices_and_masks(variables: State) -> State:
    """Returns the authors' table of offsets for each block, and masks for shifted ones."""
    tensors = {}
    for path in variables:
        block = re.search(r"stage(\d)_block(\d+)/relative_position_bias$", path)
        if block is None:
            continue
        prefix = AUTHORS.reference_name(path).removesuffix("attn.relative_position_bias_table")
        index = relative_position_index(WINDOW).astype(np.int64)
        tensors[f"{prefix}attn.relative_position_index"] = index
        side = FIRST_SIDE // 2 ** (int(block[1]) - 1)
        shift = WINDOW // 2 if int(block[2]) % 2 == 0 and side > WINDOW else 0
        mask = shift_mask(side, side, WINDOW, (shift, shift))
        if mask is not None:
            tensors[f"{prefix}attn_mask"] = np.where(mask, 0, -100).astype(np.float32)
    return tensors


TORCHVISION = Source(
    "torchvision",
    # Its stages are the odd entries of `features`, the merges before them the even ones.
    (
        ("^backbone/", ""),
        ("^patch_embedding/", "features/0/0/"),
        ("^patch_norm/", "features/0/2/"),
        ("^stage{stage}_block{block}/", "features/{2*stage-1}/{block-1}/"),
        ("^merge{stage}/", "features/{2*stage-2}/"),
        ("/mlp/expand/", "/mlp/0/"),
        ("/mlp/project/", "/mlp/3/"),
        *_BLOCK_RULES,
    ),
    ignored=IGNORED,
    computed=_flat_indices,
)
# The authors merge at the end of a stage, timm at the beginning of the next.
AUTHORS = Source(
    "authors",
    (("^backbone/merge{stage}/", "layers/{stage-2}/downsample/"), *_TIMM_RULES),
    known_by=r"^layers\.0\.downsample\.",
    ignored=IGNORED,
    computed=_indices_and_masks,
)
TIMM = Source(
    "timm",
    (
        ("^backbone/merge{stage}/", "layers/{stage-1}/downsample/"),
        ("^head/", "head/fc/"),
        *_TIMM_RULES,
    ),
    known_by=r"^layers\.",
    ignored=IGNORED,
)


def build(name: str, weights: Weights) -> PooledClassifier:
    """Builds the variant with as many classes as the weights have.

    Raises:
        ValueError: If the weights have another number of blocks.
    """
    blocks = [
        f"backbone/stage{stage}_block{block}/mlp_norm/bias"
        for stage in range(1, 5)
        for block in range(1, 1 + max(max(row["depths"]) for row in VARIANTS.values()))
    ]
    check_depth(name, sum(VARIANTS[name]["depths"]), weights, blocks)
    return swin_classifier(name, num_classes=weights.size("head/bias", 1000))


FAMILY = Family(VARIANTS, lambda name: (TORCHVISION, AUTHORS, TIMM), build)
