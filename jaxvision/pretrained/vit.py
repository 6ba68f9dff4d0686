"""ViT weights of torchvision, timm, and Google's big_vision and vision_transformer."""

import dataclasses
import math
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.vit import VARIANTS, ViTClassifier, vit_classifier
from jaxvision.ops.position_embedding import resize_position_embedding
from jaxvision.pretrained.family import Family, Source, Weights, check_depth
from jaxvision.pretrained.flax_vit import big_vision, vision_transformer
from jaxvision.pretrained.names import Rules

TIMM = Source(
    "timm",
    (
        ("^backbone/", ""),
        ("^class_token$", "cls_token"),
        ("^position_embedding$", "pos_embed"),
        ("^patch_embedding/", "patch_embed/proj/"),
        ("^block{block}/", "blocks/{block-1}/"),
        ("/attention_norm/", "/norm1/"),
        ("/mlp_norm/", "/norm2/"),
        ("/attention/out/", "/attn/proj/"),
        ("/attention/", "/attn/"),
        ("/mlp/expand/", "/mlp/fc1/"),
        ("/mlp/project/", "/mlp/fc2/"),
        ("/attention_scale$", "/ls1/gamma"),
        ("/mlp_scale$", "/ls2/gamma"),
        ("/(?:kernel|scale)$", "/weight"),
    ),
)
_TORCHVISION_RULES: Rules = (
    ("^backbone/class_token$", "class_token"),
    ("^backbone/position_embedding$", "encoder/pos_embedding"),
    ("^backbone/patch_embedding/", "conv_proj/"),
    ("^backbone/block{block}/", "encoder/layers/encoder_layer_{block-1}/"),
    ("^backbone/norm/", "encoder/ln/"),
    ("^{layer:head|pre_logits}/", "heads/{layer}/"),
    ("/attention_norm/", "/ln_1/"),
    ("/mlp_norm/", "/ln_2/"),
    ("/attention/out/", "/self_attention/out_proj/"),
    ("/(?:kernel|scale)$", "/weight"),
    ("/attention/qkv/", "/self_attention/in_proj_"),
)
TORCHVISION = Source(
    "torchvision",
    (*_TORCHVISION_RULES, ("/mlp/expand/", "/mlp/0/"), ("/mlp/project/", "/mlp/3/")),
    known_by=r"^conv_proj\.",
)
# The names in its first files, which it changes when it loads them.
PUBLISHED = Source(
    "torchvision_2022",
    (*_TORCHVISION_RULES, ("/mlp/expand/", "/mlp/linear_1/"), ("/mlp/project/", "/mlp/linear_2/")),
    known_by=r"\.mlp\.linear_1\.",
)


def sources(name: str) -> tuple[Source, ...]:
    """Returns timm's, torchvision's and Google's names."""
    heads = VARIANTS[name]["heads"]
    return TIMM, PUBLISHED, TORCHVISION, vision_transformer(heads), big_vision(heads)


def build(name: str, weights: Weights) -> ViTClassifier:
    """Builds the variant as the weights are: classes, size, positions, pooling, activation.

    Raises:
        ValueError: If the weights have another number of blocks, or their positions are not for a
            square of patches.
    """
    row = VARIANTS[name]
    deepest = max(other["depth"] for other in VARIANTS.values())
    blocks = [f"backbone/block{i}/mlp_norm/bias" for i in range(1, deepest + 1)]
    check_depth(name, row["depth"], weights, blocks)
    overrides: dict[str, Any] = dict(pool="gap", weight_init="timm")
    if weights.get("backbone/class_token") is not None:
        overrides["pool"] = "token"
    if weights.source in (TORCHVISION, PUBLISHED):
        overrides["weight_init"] = "torchvision"
    elif weights.source is not TIMM:
        overrides |= dict(weight_init="big_vision", activation="gelu_tanh")
    positions = weights.get("backbone/position_embedding", axes=3)
    if positions is None:
        overrides["position"] = "sincos2d"
    else:
        grid = _square_grid(positions, has_token=overrides["pool"] == "token")
        overrides["image_size"] = row["patch"] * grid
    factors = weights.get("backbone/block1/attention_scale", axes=1)
    if factors is not None:
        overrides["layer_scale"] = float(factors.mean())
    pre_logits = weights.get("pre_logits/bias", axes=1)
    return vit_classifier(
        name,
        num_classes=weights.size("head/bias", 1000),
        rep_size=None if pre_logits is None else len(pre_logits),
        **overrides,
    )


def resize(model: nn.Module, weights: Weights) -> Weights:
    """Interpolates the embeddings of positions to the model's image size."""
    backbone = cast(ViTClassifier, model).backbone
    path = "backbone/position_embedding"
    positions = weights.get(path, axes=3)
    if backbone.position != "learn" or positions is None:
        return weights
    has_token = weights.get("backbone/class_token") is not None
    side = _square_grid(positions, has_token=has_token)
    resized = resize_position_embedding(jnp.asarray(positions), (side, side), backbone.grid)
    name = weights.source.reference_name(path)
    return dataclasses.replace(weights, state={**weights.state, name: np.asarray(resized)})


def _square_grid(embedding: np.ndarray, *, has_token: bool) -> int:
    positions = embedding.shape[1] - has_token
    side = math.isqrt(positions)
    if not side or side**2 != positions:
        raise ValueError(
            "the weights' embeddings of positions must be for a square of patches, "
            f"got {positions} positions"
        )
    return side


FAMILY = Family(VARIANTS, sources, build, resize=resize)
