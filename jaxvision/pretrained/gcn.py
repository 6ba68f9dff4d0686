"""Weights of two of PyTorch Geometric's `GCNConv`, named conv1 and conv2."""

import jax
import numpy as np

from jaxvision.models.graph.gcn import GCN
from jaxvision.pretrained.family import Family, Source, Weights

GEOMETRIC = Source(
    "torch_geometric",
    (
        ("^layer{layer}/kernel$", "conv{layer}/lin/weight"),
        ("^layer{layer}_bias$", "conv{layer}/bias"),
    ),
)


def sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a variant's weights."""
    del name
    return (GEOMETRIC,)


def build(name: str, weights: Weights) -> GCN:
    """Builds the network with the classes, the channels and the biases that the weights have."""
    del name
    kernel, bias = weights.get("layer2/kernel"), weights.get("layer2_bias")
    if kernel is None:
        return GCN(num_classes=7)
    classes, hidden = kernel.shape
    return GCN(num_classes=classes, hidden=hidden, use_bias=bias is not None)


def num_features(weights: Weights) -> int:
    """Returns the number of features of a node that the weights are for."""
    kernel = weights.get("layer1/kernel")
    return 1 if kernel is None else kernel.shape[1]


def inputs(side: int, channels: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Returns the shapes of the features of two nodes and of two edges."""
    del side
    nodes = jax.ShapeDtypeStruct((2, channels), np.float32)
    return nodes, jax.ShapeDtypeStruct((2, 2), np.int32)


FAMILY = Family(("gcn",), sources, build, channels=num_features, inputs=inputs)
