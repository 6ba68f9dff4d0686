"""ViT weights of torchvision, timm and big_vision, known by their names."""

import math
import re
from collections.abc import Mapping
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.models.backbones.vit import VARIANTS, ViTClassifier, vit_classifier
from jaxvision.ops.position_embedding import resize_position_embedding
from jaxvision.pretrained.depth import check_depth

NAMES = VARIANTS

# Our name on the left, timm's on the right, applied in this order.
_TABLE = (
    (r"^backbone/", ""),
    (r"^class_token$", "cls_token"),
    (r"^position_embedding$", "pos_embed"),
    (r"^patch_embedding/", "patch_embed/proj/"),
    (r"^block(\d+)/", lambda m: f"blocks/{int(m[1]) - 1}/"),
    (r"/attention_norm/", "/norm1/"),
    (r"/mlp_norm/", "/norm2/"),
    (r"/attention/out/", "/attn/proj/"),
    (r"/attention/", "/attn/"),
    (r"/mlp/expand/", "/mlp/fc1/"),
    (r"/mlp/project/", "/mlp/fc2/"),
    (r"/attention_scale$", "/ls1/gamma"),
    (r"/mlp_scale$", "/ls2/gamma"),
    (r"/(kernel|scale)$", "/weight"),
)
# Their name on the left, timm's on the right. torchvision called the perceptron's layers linear_1
# and linear_2 once, and renames them when it loads a file of then.
_TORCHVISION = (
    (r"^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
    (r"^encoder\.ln\.", "norm."),
    (r"^heads\.", ""),
)
# The paper's own files number a block's four layers on, later ones number layers of a kind.
_BIG_VISION = (
    (r"^cls$", "cls_token"),
    (r"^(?:Transformer/)?(?:posembed_input/)?pos_embedding$", "pos_embed"),
    (r"^embedding/", "patch_embed/proj/"),
    (r"^Transformer/encoderblock_(\d+)/", r"blocks/\1/"),
    (r"/LayerNorm_0/", "/norm1/"),
    (r"/LayerNorm_[12]/", "/norm2/"),
    (r"/MultiHeadDotProductAttention_[01]/out/", "/attn/proj/"),
    (r"/MultiHeadDotProductAttention_[01]/", "/attn/"),
    (r"/MlpBlock_[03]/Dense_0/", "/mlp/fc1/"),
    (r"/MlpBlock_[03]/Dense_1/", "/mlp/fc2/"),
    (r"^Transformer/encoder_norm/", "norm/"),
    (r"/(kernel|scale)$", "/weight"),
)
# What big_vision's files put before every parameter; the rest of such a file is an optimiser's.
_PREFIXES = ("", "params/", "opt/target/", "opt/target/params/")


def build(name: str, state: Mapping[str, np.ndarray]) -> ViTClassifier:
    """Builds the variant as the weights are: classes, size, positions, pooling, activation.

    Raises:
        ValueError: If the weights have another number of blocks, or their positions make no
            square.
    """
    source, tensors = _source(state), canonical(name, state)
    depth, patch = VARIANTS[name]["depth"], VARIANTS[name]["patch"]
    check_depth(name, depth, tensors, r"^blocks\.(\d+)\.")
    bias, rep = tensors.get("head.bias"), tensors.get("pre_logits.bias")
    overrides: dict[str, Any] = dict(
        weight_init=source, pool="token" if "cls_token" in tensors else "gap"
    )
    if source == "big_vision":
        overrides["activation"] = "gelu_tanh"
    if "pos_embed" in tensors:
        grid = _square_grid(tensors["pos_embed"], before="cls_token" in tensors)
        overrides["image_size"] = patch * grid
    else:
        overrides["position"] = "sincos2d"
    if "blocks.0.ls1.gamma" in tensors:
        overrides["layer_scale"] = float(tensors["blocks.0.ls1.gamma"].mean())
    return vit_classifier(
        name,
        num_classes=1000 if bias is None else len(bias),
        rep_size=None if rep is None else len(rep),
        **overrides,
    )


def canonical(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives the weights timm's names and PyTorch's layout, whoever they are from."""
    source = _source(state)
    if source == "torchvision":
        return {_rename(key, _TORCHVISION): value for key, value in state.items()}
    if source == "big_vision":
        return _from_big_vision(state)
    return dict(state)


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/block1/attention/qkv/kernel`, to timm's name."""
    return _rename(path, _TABLE).replace("/", ".")


def resize(model: nn.Module, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Interpolates the embeddings of positions to the model's image size."""
    state, backbone = dict(state), cast(ViTClassifier, model).backbone
    if backbone.position == "learn" and "pos_embed" in state:
        side = _square_grid(state["pos_embed"], before="cls_token" in state)
        resized = resize_position_embedding(
            jnp.asarray(state["pos_embed"]), (side, side), backbone.grid
        )
        state["pos_embed"] = np.asarray(resized)
    return state


def _source(state: Mapping[str, np.ndarray]) -> str:
    if "conv_proj.weight" in state:
        return "torchvision"
    return "timm" if _prefix(state) is None else "big_vision"


def _prefix(state: Mapping[str, np.ndarray]) -> str | None:
    return next((p for p in _PREFIXES if f"{p}embedding/kernel" in state), None)


def _rename(name: str, table: tuple) -> str:
    for pattern, replacement in table:
        name = re.sub(pattern, replacement, name)
    return name


def _square_grid(embedding: np.ndarray, *, before: bool) -> int:
    positions = embedding.shape[1] - before
    side = math.isqrt(positions)
    if side**2 != positions:
        raise ValueError(
            "the weights' embeddings of positions must be for a square of patches, "
            f"got {positions} positions"
        )
    return side


def _from_big_vision(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    prefix = _prefix(state) or ""
    flat = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    for key in [k for k in flat if k.startswith("Transformer/encoderblock/")]:
        # Blocks that are scanned over are stacked.
        for i, value in enumerate(flat.pop(key)):
            flat[key.replace("encoderblock/", f"encoderblock_{i}/")] = value

    renamed = {_rename(key, _BIG_VISION): value for key, value in flat.items()}
    converted = {}
    for key, value in renamed.items():
        match = re.fullmatch(r"(.*/attn)/(query|key|value)/(weight|bias)", key)
        if match is None:
            converted[key.replace("/", ".")] = _to_torch_layout(key, value)
        elif match[2] == "query":
            parts = [renamed.get(f"{match[1]}/{p}/{match[3]}") for p in ("query", "key", "value")]
            if all(part is not None for part in parts):
                # Kernels are [D, heads, C], biases [heads, C].
                stack = [
                    p.reshape(len(p), -1).T if match[3] == "weight" else p.ravel()
                    for p in cast(list[np.ndarray], parts)
                ]
                converted[f"{match[1]}/qkv/{match[3]}".replace("/", ".")] = np.concatenate(stack)
    positions = converted.get("pos_embed")
    if positions is not None and "cls_token" in converted:
        count = positions.shape[1]
        if math.isqrt(count) ** 2 == count:
            # Newer files add positions before the class token, which has none.
            nothing = np.zeros_like(positions[:, :1])
            converted["pos_embed"] = np.concatenate([nothing, positions], axis=1)
    return converted


def _to_torch_layout(key: str, value: np.ndarray) -> np.ndarray:
    if key.endswith("/attn/proj/weight"):
        return value.reshape(-1, value.shape[-1]).T
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    return value.T if value.ndim == 2 else value
