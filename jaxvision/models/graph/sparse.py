"""Features of nodes of which most are 0, and the layer that reads them."""

import dataclasses

import flax.struct
import jax
import jax.numpy as jnp
from flax import linen as nn


@flax.struct.dataclass
class SparseFeatures:
    """A matrix [N, F] by its M entries that are not 0.

    Attributes:
        rows: Node of each entry [M] int32.
        columns: Feature of each entry [M] int32.
        values: [M].
        num_rows: N.
        num_columns: F.
    """

    rows: jax.Array
    columns: jax.Array
    values: jax.Array
    num_rows: int = flax.struct.field(pytree_node=False)
    num_columns: int = flax.struct.field(pytree_node=False)

    def __matmul__(self, kernel: jax.Array) -> jax.Array:
        """Multiplies by a kernel [F, C], to [N, C]."""
        terms = self.values[:, None].astype(kernel.dtype) * jnp.take(kernel, self.columns, axis=0)
        return jax.ops.segment_sum(terms, self.rows, self.num_rows)


# Features of N nodes: [N, F], or most of them 0.
Features = jax.Array | SparseFeatures


class FeatureDropout(nn.Module):
    """Dropout of features; those that are 0 stay 0, so that the others alone are drawn for.

    Attributes:
        rate: Share that is dropped.
    """

    rate: float

    @nn.compact
    def __call__(self, features: Features, *, train: bool) -> Features:
        """Maps features to features."""
        drop = nn.Dropout(self.rate, deterministic=not train)
        if isinstance(features, SparseFeatures):
            return dataclasses.replace(features, values=drop(features.values))
        return drop(features)


class SparseDense(nn.Module):
    """A dense layer whose input may be sparse.

    Attributes:
        features: Output channels, C.
        use_bias: Whether it has a bias.
        dtype: Type of the computation; parameters are float32.
    """

    features: int
    use_bias: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: Features) -> jax.Array:
        """Maps [N, F] to [N, C]."""
        inputs = x.num_columns if isinstance(x, SparseFeatures) else x.shape[-1]
        init = nn.initializers.xavier_uniform()
        kernel = self.param("kernel", init, (inputs, self.features)).astype(self.dtype)
        y = (x if isinstance(x, SparseFeatures) else x.astype(self.dtype)) @ kernel
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            y = y + bias.astype(self.dtype)[None]
        return y
