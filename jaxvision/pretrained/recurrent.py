"""Weights of PyTorch's `nn.RNN`, `nn.LSTM` and `nn.GRU`, and of language models made of them."""

from typing import Any

import jax
import numpy as np

from jaxvision.models.sequence import recurrent as layers
from jaxvision.models.sequence import recurrent_language_model as language_models
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import SAME
from jaxvision.pretrained.names import TORCH_LEAVES, Rules

_LAYERS: Rules = (
    ("{part:^|/}layer{layer}{way:_reverse|}/input/kernel$", "{part}weight_ih_l{layer-1}{way}"),
    ("{part:^|/}layer{layer}{way:_reverse|}/input/bias$", "{part}bias_ih_l{layer-1}{way}"),
    ("{part:^|/}layer{layer}{way:_reverse|}/recurrent/kernel$", "{part}weight_hh_l{layer-1}{way}"),
    ("{part:^|/}layer{layer}{way:_reverse|}/recurrent/bias$", "{part}bias_hh_l{layer-1}{way}"),
)
LAYERS = Source("torch", _LAYERS)
# `nn.Embedding`, the layers and `nn.Linear` under the names of most examples.
LANGUAGE_MODEL = Source(
    "torch",
    (*_LAYERS, ("^embedding/embedding$", "embedding/weight"), *TORCH_LEAVES),
    layouts=(("embedding/embedding", SAME),),
)


def layer_sources(name: str) -> tuple[Source, ...]:
    """Returns the names of the weights of layers."""
    del name
    return (LAYERS,)


def language_model_sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a language model's weights."""
    del name
    return (LANGUAGE_MODEL,)


def build_layers(name: str, weights: Weights) -> layers.Recurrent:
    """Builds as many layers of as many units and directions as the weights have."""
    fields: dict[str, Any] = {"features": 128} | _sizes(weights, "")
    if weights.get("layer1_reverse/input/kernel") is not None:
        fields["bidirectional"] = True
    return layers.recurrent(name, **fields)


def build_language_model(name: str, weights: Weights) -> language_models.RecurrentLanguageModel:
    """Builds the variant with the sizes and the vocabulary that the weights have."""
    size = weights.size("decoder/bias", 10_000)
    fields = _sizes(weights, "rnn/")
    return language_models.recurrent_language_model(name, vocabulary_size=size, **fields)


def _sizes(weights: Weights, prefix: str) -> dict[str, Any]:
    """Reads units, number of layers and whether there is a second bias off the weights."""
    kernel = weights.get(f"{prefix}layer1/recurrent/kernel")
    if kernel is None:
        return {}
    count = 1
    while weights.get(f"{prefix}layer{count + 1}/recurrent/kernel") is not None:
        count += 1
    bias = weights.get(f"{prefix}layer1/recurrent/bias") is not None
    return {"features": kernel.shape[1], "num_layers": count, "recurrent_bias": bias}


def width(weights: Weights) -> int:
    """Returns the number of channels of the sequences that the weights are for."""
    kernel = weights.get("layer1/input/kernel")
    return 1 if kernel is None else kernel.shape[1]


def sequence(side: int, channels: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Returns the shape of a sequence of one step."""
    del side
    return (jax.ShapeDtypeStruct((1, 1, channels), np.float32),)


def tokens(side: int, channels: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Returns the shape of a sequence of one token."""
    del side, channels
    return (jax.ShapeDtypeStruct((1, 1), np.int32),)


FAMILIES = (
    Family(tuple(layers.VARIANTS), layer_sources, build_layers, channels=width, inputs=sequence),
    Family(
        tuple(language_models.VARIANTS),
        language_model_sources,
        build_language_model,
        inputs=tokens,
    ),
)
