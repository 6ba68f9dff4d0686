"""The catalogue of networks for graphs."""

from typing import Any

from jaxvision.models.graph.gcn import GCN
from jaxvision.models.graph.graph_sage import GraphSAGE
from jaxvision.models.variant import fields_of

VARIANTS: dict[str, dict[str, Any]] = {
    "gcn": dict(),
    "graph_sage_mean": dict(aggregator="mean"),
    "graph_sage_max": dict(aggregator="max"),
}


def graph_network(variant: str, *, num_classes: int, **overrides: Any) -> GCN | GraphSAGE:
    """Builds a network from features of nodes and edges to logits of nodes.

    Args:
        variant: A name of `VARIANTS`.
        num_classes: K.
        **overrides: Fields of `GCN` or `GraphSAGE`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields: dict[str, Any] = (
        fields_of(variant, VARIANTS) | dict(num_classes=num_classes) | overrides
    )
    return GCN(**fields) if variant == "gcn" else GraphSAGE(**fields)
