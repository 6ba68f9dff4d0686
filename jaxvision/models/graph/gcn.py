"""GCN: graph convolutions of the first order.

Semi-Supervised Classification with Graph Convolutional Networks, Kipf and Welling 2016,
https://arxiv.org/abs/1609.02907, equations 2 and 9: each layer is A H W, where A is the adjacency
matrix with self-loops, normalised as D^-1/2 (A + I) D^-1/2, D the degrees with self-loops.
`use_bias` adds the bias that PyTorch Geometric's `GCNConv` has and the paper's code has not.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.graph.sparse import FeatureDropout, Features, SparseDense


def convolve(x: jax.Array, edges: jax.Array) -> jax.Array:
    """Multiplies by the normalised adjacency matrix with self-loops.

    Args:
        x: Values of the nodes [N, C].
        edges: Pairs (from, to) of nodes, each edge both ways, without self-loops [E, 2] int32.

    Returns:
        [N, C]; a node without edges keeps its value.
    """
    count, (senders, receivers) = len(x), edges.T
    degree = 1 + jax.ops.segment_sum(jnp.ones(len(edges), x.dtype), receivers, count)
    scale = jax.lax.rsqrt(degree)[:, None]
    scaled = x * scale
    total = scaled + jax.ops.segment_sum(jnp.take(scaled, senders, axis=0), receivers, count)
    return total * scale


class GCN(nn.Module):
    """Two graph convolutions, from features of nodes to their logits.

    Attributes:
        num_classes: K.
        hidden: Channels between the two.
        dropout_rate: Dropout of the input of each.
        use_bias: Whether each has a bias.
        dtype: Type of the computation; parameters and logits are float32.
    """

    num_classes: int
    hidden: int = 16
    dropout_rate: float = 0.5
    use_bias: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Features, edges: jax.Array, *, train: bool) -> jax.Array:
        """Maps the features of N nodes and their edges [E, 2] to logits [N, K]."""
        x = FeatureDropout(self.dropout_rate)(features, train=train)
        x = nn.relu(self._layer(x, edges, self.hidden, "layer1"))
        self.sow("intermediates", "hidden", x)
        x = nn.Dropout(self.dropout_rate)(x, deterministic=not train)
        return self._layer(x, edges, self.num_classes, "layer2").astype(jnp.float32)

    def _layer(self, x: Features, edges: jax.Array, channels: int, name: str) -> jax.Array:
        y = SparseDense(channels, False, self.dtype, name=name)(x)
        y = convolve(y, edges)
        if self.use_bias:
            bias = self.param(f"{name}_bias", nn.initializers.zeros, (channels,))
            y = y + bias.astype(self.dtype)[None]
        return y
