"""GraphSAGE: each node beside an aggregate of its neighbours.

Inductive Representation Learning on Large Graphs, Hamilton et al. 2017,
https://arxiv.org/abs/1706.02216, algorithm 1: a layer multiplies the node and its aggregate by a
kernel each, which is one kernel for both behind one another, and the vectors of a node are divided
by their length. `max` has a dense layer with ReLU before the maximum (equation 3).

Departs from the paper: all neighbours are aggregated, of which the paper samples 25 and 10, and the
last layer gives logits of classes, without ReLU and division.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.graph.sparse import FeatureDropout, Features, SparseDense
from jaxvision.ops.segments import segment_max, segment_mean

AGGREGATORS = ("mean", "max")


class GraphSAGE(nn.Module):
    """Two layers, that is two hops, from features of nodes to their logits.

    Attributes:
        num_classes: K.
        aggregator: `mean` or `max`.
        hidden: Channels between the two layers, and before a maximum.
        dropout_rate: Dropout of the input of each.
        dtype: Type of the computation; parameters and logits are float32.
    """

    num_classes: int
    aggregator: str = "mean"
    hidden: int = 16
    dropout_rate: float = 0.5
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Features, edges: jax.Array, *, train: bool) -> jax.Array:
        """Maps the features of N nodes and their edges (from, to) [E, 2] to logits [N, K].

        Raises:
            ValueError: If there is no such aggregator.
        """
        if self.aggregator not in AGGREGATORS:
            raise ValueError(
                f"aggregator must be one of {', '.join(AGGREGATORS)}, got {self.aggregator}"
            )
        x = FeatureDropout(self.dropout_rate)(features, train=train)
        x = nn.relu(self._layer(x, edges, self.hidden, "layer1"))
        # A vector of zeros has no direction: it stays as it is.
        x = x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(axis=-1, keepdims=True), 1e-12))
        x = nn.Dropout(self.dropout_rate)(x, deterministic=not train)
        return self._layer(x, edges, self.num_classes, "layer2").astype(jnp.float32)

    def _layer(self, x: Features, edges: jax.Array, channels: int, name: str) -> jax.Array:
        own = SparseDense(channels, True, self.dtype, name=f"{name}_self")(x)
        senders, receivers = edges.T
        if self.aggregator == "mean":
            # The mean of products is the product of the mean, and has fewer channels.
            y = SparseDense(channels, False, self.dtype, name=f"{name}_neighbors")(x)
            return own + segment_mean(jnp.take(y, senders, axis=0), receivers, len(own))
        y = nn.relu(SparseDense(self.hidden, True, self.dtype, name=f"{name}_pool")(x))
        y = segment_max(jnp.take(y, senders, axis=0), receivers, len(own))
        return own + SparseDense(channels, False, self.dtype, name=f"{name}_neighbors")(y)
