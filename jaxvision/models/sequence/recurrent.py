"""Recurrent layers: Elman's RNN, LSTM and GRU, stacked and in both directions.

Finding Structure in Time, Elman 1990; Long Short-Term Memory, Hochreiter and Schmidhuber 1997, with
the forget gate of Gers et al. 2000; Learning Phrase Representations using RNN Encoder-Decoder, Cho
et al. 2014, https://arxiv.org/abs/1406.1078. The equations and the order of the gates are those of
PyTorch's `nn.RNN`, `nn.LSTM` and `nn.GRU`, its two biases included:

    lstm: i, f, g, o;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')
    gru:  r, z, n;     n = tanh(W x + b + sigmoid(r) (U h + b'));
          h' = (1 - sigmoid(z)) n + sigmoid(z) h

The cells of `flax.linen` (SimpleCell, OptimizedLSTMCell, GRUCell) compute the same with one bias
for each gate and a second one for n alone. They multiply an input in its own step; here one product
covers the inputs of all steps, and only the product with h is left in the loop.

Departs from the papers: Cho et al. apply the reset gate to h before the product with U, which is
`reset_after=False`. No LSTM has a bias of the forget gate of 1.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.initializers import uniform_bias
from jaxvision.models.variant import fields_of

# Gates of each kind of layer: parts of its kernels.
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
# What a direction of a layer carries from step to step: h [B, H] and, of an LSTM, c [B, H].
LayerCarry = tuple[jax.Array, ...]
# One for each layer; with two directions one for each of them, forward first.
Carry = tuple[LayerCarry, ...]


class Cell(nn.Module):
    """One step of a layer, given the product of its input.

    Attributes:
        kind: A key of `GATES`.
        features: Units, H.
        use_bias: Whether the product with h has a bias.
        reset_after: Whether the reset gate of a GRU multiplies the product with h, not h.
        initializer: Of kernel and bias.
        dtype: Type of the computation; parameters are float32.
    """

    kind: str
    features: int
    use_bias: bool
    reset_after: bool
    initializer: jax.nn.initializers.Initializer
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, carry: LayerCarry, inputs: tuple[jax.Array, jax.Array | None]
    ) -> tuple[LayerCarry, jax.Array]:
        """Maps the carry and one step to the new carry and h, 0 where the step is padding.

        Args:
            carry: h [B, H] and, of an LSTM, c [B, H].
            inputs: The input's product [B, gates * H], and False for padding [B] or None.
        """
        x, valid = inputs
        width = GATES[self.kind] * self.features
        kernel = self.param("kernel", self.initializer, (self.features, width))
        kernel = kernel.astype(self.dtype)
        bias = jnp.zeros(width, self.dtype)
        if self.use_bias:
            bias = self.param("bias", self.initializer, (width,)).astype(self.dtype)
        new = self._next(x, carry, kernel, bias[None])
        if valid is None:
            return new, new[0]
        new = tuple(jnp.where(valid[:, None], a, b) for a, b in zip(new, carry, strict=True))
        return new, jnp.where(valid[:, None], new[0], 0)

    def _next(
        self, x: jax.Array, carry: LayerCarry, kernel: jax.Array, bias: jax.Array
    ) -> LayerCarry:
        """Applies the equations of the kind."""
        h = carry[0]
        if self.kind == "lstm":
            i, f, g, o = jnp.split(x + h @ kernel + bias, 4, axis=-1)
            c = nn.sigmoid(f) * carry[1] + nn.sigmoid(i) * jnp.tanh(g)
            return nn.sigmoid(o) * jnp.tanh(c), c
        if self.kind == "gru":
            gates = 2 * self.features
            if self.reset_after:
                y = h @ kernel + bias
                r, z = jnp.split(nn.sigmoid(x[:, :gates] + y[:, :gates]), 2, axis=-1)
                n = jnp.tanh(x[:, gates:] + r * y[:, gates:])
            else:
                y = h @ kernel[:, :gates] + bias[:, :gates]
                r, z = jnp.split(nn.sigmoid(x[:, :gates] + y), 2, axis=-1)
                n = jnp.tanh(x[:, gates:] + (r * h) @ kernel[:, gates:] + bias[:, gates:])
            return ((1 - z) * n + z * h,)
        activation = jnp.tanh if self.kind == "rnn_tanh" else nn.relu
        return (activation(x + h @ kernel + bias),)


class RecurrentLayer(nn.Module):
    """A layer in one direction.

    Attributes:
        kind: A key of `GATES`.
        features: Units, H.
        reverse: Whether it goes from the last step to the first.
        recurrent_bias: Whether the product with h has a bias besides that of the input.
        reset_after: As in `Cell`.
        initializer: Of all parameters; by default U(-1/sqrt(H), 1/sqrt(H)), PyTorch's.
        dtype: Type of the computation; parameters are float32.
    """

    kind: str
    features: int
    reverse: bool = False
    recurrent_bias: bool = True
    reset_after: bool = True
    initializer: jax.nn.initializers.Initializer | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, carry: LayerCarry, valid: jax.Array | None = None
    ) -> tuple[jax.Array, LayerCarry]:
        """Maps inputs [B, T, D] and the carry to h of every step [B, T, H] and the last carry.

        Raises:
            ValueError: If there is no such kind.
        """
        if self.kind not in GATES:
            raise ValueError(f"kind must be one of {', '.join(GATES)}, got {self.kind}")
        initializer = self.initializer or uniform_bias(self.features)
        x = nn.Dense(
            GATES[self.kind] * self.features,
            kernel_init=initializer,
            bias_init=initializer,
            dtype=self.dtype,
            name="input",
        )(x)
        steps = nn.scan(
            Cell,
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=1,
            out_axes=1,
            reverse=self.reverse,
        )
        cell = steps(
            self.kind,
            self.features,
            self.recurrent_bias,
            self.reset_after,
            initializer,
            self.dtype,
            name="recurrent",
        )
        carry, outputs = cell(carry, (x, valid))
        return outputs, carry


class Recurrent(nn.Module):
    """Layers one above the other.

    Attributes:
        kind: A key of `GATES`.
        features: Units of each layer and direction, H.
        num_layers: Number of layers.
        bidirectional: Whether each layer also goes from the last step to the first; its outputs
            are those of both directions, and so is the input of the layer above.
        dropout_rate: Dropout between layers.
        recurrent_bias: As in `RecurrentLayer`.
        reset_after: As in `Cell`.
        initializer: As in `RecurrentLayer`.
        dtype: Type of the computation; parameters are float32.
    """

    kind: str
    features: int
    num_layers: int = 1
    bidirectional: bool = False
    dropout_rate: float = 0.0
    recurrent_bias: bool = True
    reset_after: bool = True
    initializer: jax.nn.initializers.Initializer | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        carry: Carry | None = None,
        valid: jax.Array | None = None,
        *,
        train: bool,
    ) -> tuple[jax.Array, Carry]:
        """Maps sequences [B, T, D] to the outputs of the last layer and all last carries.

        Args:
            x: Sequences.
            carry: What each layer starts from, as `empty_carry` makes it; zeros by default.
            valid: False for padding at the end of a sequence [B, T]: outputs are 0 there, and the
                carry is that of the last step before it. None where there is no padding.
            train: Whether dropout is on.

        Returns:
            Outputs [B, T, H], or [B, T, 2 * H] with two directions, and the carry.
        """
        if carry is None:
            carry = self.empty_carry(x.shape[0])
        directions = ("", "_reverse") if self.bidirectional else ("",)
        layer = functools.partial(
            RecurrentLayer,
            self.kind,
            self.features,
            recurrent_bias=self.recurrent_bias,
            reset_after=self.reset_after,
            initializer=self.initializer,
            dtype=self.dtype,
        )
        before, after = iter(carry), []
        for i in range(1, self.num_layers + 1):
            outputs = []
            for direction in directions:
                one = layer(reverse=bool(direction), name=f"layer{i}{direction}")
                output, last = one(x, next(before), valid)
                outputs.append(output)
                after.append(last)
            x = jnp.concatenate(outputs, axis=-1)
            if i < self.num_layers:
                x = nn.Dropout(self.dropout_rate)(x, deterministic=not train)
        return x, tuple(after)

    @nn.nowrap
    def empty_carry(self, rows: int) -> Carry:
        """Returns zeros for `rows` sequences."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        return empty_carry(self.kind, self.features, count, rows, self.dtype)


def empty_carry(kind: str, features: int, count: int, rows: int, dtype: jnp.dtype) -> Carry:
    """Returns zeros for `rows` sequences in `count` layers and directions of `features` units."""
    zeros = jnp.zeros((rows, features), dtype)
    return ((zeros,) * (2 if kind == "lstm" else 1),) * count


# Two layers, as in most uses; a file of weights has its own sizes.
VARIANTS = {kind: dict(kind=kind, num_layers=2) for kind in GATES}


def recurrent(variant: str, *, features: int, **overrides: Any) -> Recurrent:
    """Builds layers from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`.
        features: Units of each layer, H.
        **overrides: Fields of `Recurrent`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields: dict[str, Any] = fields_of(variant, VARIANTS) | dict(features=features) | overrides
    return Recurrent(**fields)
