"""timm's ViT-Ti under the names of other implementations, renamed by hand."""

import re


def as_torchvision(state, old=False):
    """The inverse of the importer's renaming, by hand."""
    layers = ("linear_1", "linear_2") if old else ("0", "3")
    renamed = {}
    for name, value in state.items():
        name = name.replace("blocks.", "encoder.layers.encoder_layer_")
        name = re.sub(r"norm([12])", r"ln_\1", name)
        name = re.sub(r"^norm", "encoder.ln", name)
        name = name.replace("attn.qkv.", "self_attention.in_proj_")
        name = name.replace("attn.proj", "self_attention.out_proj")
        name = name.replace("fc1", layers[0]).replace("fc2", layers[1])
        name = re.sub(r"^head", "heads.head", name)
        name = {
            "cls_token": "class_token",
            "pos_embed": "encoder.pos_embedding",
            "patch_embed.proj.weight": "conv_proj.weight",
            "patch_embed.proj.bias": "conv_proj.bias",
        }.get(name, name)
        renamed[name] = value
    return renamed


def as_big_vision(state, *, paper, heads=3):
    """timm's ViT-Ti under big_vision's names; `paper` is the layout of the first files."""
    width = state["cls_token"].shape[-1]
    numbers = (0, 1, 2, 3) if paper else (0, 0, 1, 0)
    norm1, attention, norm2, mlp = (
        f"{kind}_{number}"
        for kind, number in zip(
            ("LayerNorm", "MultiHeadDotProductAttention", "LayerNorm", "MlpBlock"),
            numbers,
            strict=True,
        )
    )
    out = {
        "cls": state["cls_token"],
        "embedding/kernel": state["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": state["patch_embed.proj.bias"],
        "Transformer/encoder_norm/scale": state["norm.weight"],
        "Transformer/encoder_norm/bias": state["norm.bias"],
        "head/kernel": state["head.weight"].T,
        "head/bias": state["head.bias"],
    }
    prefix = "Transformer/posembed_input/" if paper else ""
    out[f"{prefix}pos_embedding"] = state["pos_embed"]
    for i in range(12):
        theirs, ours = f"blocks.{i}.", f"Transformer/encoderblock_{i}/"
        for a, b in ((norm1, "norm1"), (norm2, "norm2")):
            out[f"{ours}{a}/scale"] = state[f"{theirs}{b}.weight"]
            out[f"{ours}{a}/bias"] = state[f"{theirs}{b}.bias"]
        for a, b in (("Dense_0", "fc1"), ("Dense_1", "fc2")):
            out[f"{ours}{mlp}/{a}/kernel"] = state[f"{theirs}mlp.{b}.weight"].T
            out[f"{ours}{mlp}/{a}/bias"] = state[f"{theirs}mlp.{b}.bias"]
        for j, part in enumerate(("query", "key", "value")):
            rows = slice(j * width, (j + 1) * width)
            kernel = state[f"{theirs}attn.qkv.weight"][rows].T.reshape(width, heads, -1)
            bias = state[f"{theirs}attn.qkv.bias"][rows].reshape(heads, -1)
            out[f"{ours}{attention}/{part}/kernel"] = kernel
            out[f"{ours}{attention}/{part}/bias"] = bias
        kernel = state[f"{theirs}attn.proj.weight"].T.reshape(heads, -1, width)
        out[f"{ours}{attention}/out/kernel"] = kernel
        out[f"{ours}{attention}/out/bias"] = state[f"{theirs}attn.proj.bias"]
    return out
