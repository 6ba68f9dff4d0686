"""Weights of DDPM's U-Net: of diffusers, and of the first port to PyTorch.

The port's names are those of https://github.com/pesser/pytorch_diffusion and
https://github.com/ermongroup/ddim. Files of diffusers from before 2023, as the published
`google/ddpm-cifar10-32`, call the layers of the attention otherwise; both are read.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxvision.models.generative.ddpm_unet import DDPMUNet, ddpm_unet
from jaxvision.pretrained.family import Family, Source, State, Weights
from jaxvision.pretrained.layout import SAME, dense_as_conv
from jaxvision.pretrained.names import TORCH_LEAVES

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_CLASSES = ("class_embedding/embedding", SAME)


def _unpack(state: State) -> State:
    """Counts blocks on the way up from the top, and renames old layers of the attention."""

    def renamed(name: str) -> str:
        return re.sub(
            r"(?<=\.attentions\.\d\.)(query|key|value|proj_attn)(?=\.)",
            lambda match: _OLD_ATTENTION[match[1]],
            name,
        )

    return {renamed(name): value for name, value in _turned(state).items()}


def _turned(state: State) -> State:
    """Counts the blocks on the way up from the other end; its own inverse."""
    found = [re.match(r"up_blocks\.(\d+)\.", name) for name in state]
    last = max((int(match[1]) for match in found if match), default=0)

    def turned(name: str) -> str:
        return re.sub(
            r"^up_blocks\.(\d+)(?=\.)", lambda match: f"up_blocks.{last - int(match[1])}", name
        )

    return {turned(name): value for name, value in state.items()}


DIFFUSERS = Source(
    "diffusers",
    (
        ("^time{number:[12]}/", "time_embedding/linear_{number}/"),
        ("^class_embedding/embedding$", "class_embedding/weight"),
        ("^{way:down|up}{level}_", "{way}_blocks/{level-1}/"),
        ("^mid_attention/", "mid_block/attentions/0/"),
        ("^mid_block{block}/", "mid_block/resnets/{block-1}/"),
        ("/block{block}/", "/resnets/{block-1}/"),
        ("/attention{block}/", "/attentions/{block-1}/"),
        ("/{way:downsample|upsample}/", "/{way}rs/0/conv/"),
        ("/resnets/{block}/time/", "/resnets/{block}/time_emb_proj/"),
        ("/shortcut/", "/conv_shortcut/"),
        ("/attentions/{block}/norm/", "/attentions/{block}/group_norm/"),
        ("/query/", "/to_q/"),
        ("/key/", "/to_k/"),
        ("/value/", "/to_v/"),
        ("/out/", "/to_out/0/"),
        ("^stem/", "conv_in/"),
        ("^head_norm/", "conv_norm_out/"),
        ("^head/", "conv_out/"),
        *TORCH_LEAVES,
    ),
    layouts=(_CLASSES,),
    unpack=_unpack,
    pack=_turned,
)
PORT = Source(
    "pytorch_diffusion",
    (
        ("^time{number:[12]}/", "temb/dense/{number-1}/"),
        ("^class_embedding/embedding$", "class_embedding/weight"),
        ("^{way:down|up}{level}_", "{way}/{level-1}/"),
        ("^mid_attention/", "mid/attn_1/"),
        ("^mid_block{block}/", "mid/block_{block}/"),
        ("/block{block}/", "/block/{block-1}/"),
        ("/attention{block}/", "/attn/{block-1}/"),
        ("/{way:downsample|upsample}/", "/{way}/conv/"),
        ("/time/", "/temb_proj/"),
        ("/shortcut/", "/nin_shortcut/"),
        ("/query/", "/q/"),
        ("/key/", "/k/"),
        ("/value/", "/v/"),
        ("/out/", "/proj_out/"),
        ("^stem/", "conv_in/"),
        ("^head_norm/", "norm_out/"),
        ("^head/", "conv_out/"),
        *TORCH_LEAVES,
    ),
    layouts=(_CLASSES, (r".*attention\d?/(query|key|value|out)/kernel", dense_as_conv(1))),
    known_by=r"^temb\.dense\.",
)


def sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a variant's weights."""
    del name
    return DIFFUSERS, PORT


def build(name: str, weights: Weights) -> DDPMUNet:
    """Builds the variant with the levels, widths, channels and classes that the weights have."""
    fields: dict[str, Any] = {}
    if weights.get("head/bias") is not None:
        fields["channels"] = channels(weights)
    table = weights.get("class_embedding/embedding", axes=2)
    if table is not None:
        fields["num_classes"] = len(table) - 1
    widths = tuple(_counted(weights, "down{}_block1/conv1/bias"))
    if widths:
        levels = range(1, len(widths) + 1)
        fields["widths"] = widths
        fields["blocks"] = len(tuple(_counted(weights, "down1_block{}/conv1/bias")))
        fields["attention_levels"] = tuple(
            level - 1 for level in levels if weights.size(f"down{level}_attention1/out/bias", 0)
        )
    return ddpm_unet(name, **fields)


def _counted(weights: Weights, path: str) -> Iterator[int]:
    """Yields the lengths of the vectors of this path, numbered from 1, as far as they go."""
    for number in itertools.count(1):
        if not (length := weights.size(path.format(number), 0)):
            return
        yield length


def channels(weights: Weights) -> int:
    """Returns the number of channels of the images that the weights are for."""
    return weights.size("head/bias", 3)


def inputs(side: int, channels: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Returns the shapes of an image and a time."""
    image = jax.ShapeDtypeStruct((1, side, side, channels), np.float32)
    return image, jax.ShapeDtypeStruct((1,), np.int32)


FAMILY = Family(("ddpm_cifar10", "ddpm_256"), sources, build, channels=channels, inputs=inputs)
