"""The deep belief network: restricted Boltzmann machines, learned one after another.

A Fast Learning Algorithm for Deep Belief Nets, Hinton et al. 2006,
https://doi.org/10.1162/neco.2006.18.7.1527, section 4, and fine-tuning by backpropagation as in
Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647.

Departs from the papers: fine-tuning is plain gradient descent on the cross entropy, neither the
up-down algorithm nor conjugate gradients.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxvision.models.history import rbm as machine
from jaxvision.models.history.rbm import RBM


class Classifier(NamedTuple):
    """A pretrained network with a softmax layer.

    Attributes:
        layers: The machines, whose upward weights are those of a sigmoid network.
        weights: [H, K].
        bias: [K].
    """

    layers: tuple[RBM, ...]
    weights: jax.Array
    bias: jax.Array


def pretrain(
    key: jax.Array, data: jax.Array, widths: Sequence[int], *, steps: int, **options: float
) -> tuple[RBM, ...]:
    """Learns a machine on the data, the next on its hidden probabilities, and so on.

    Args:
        key: Randomness.
        data: [N, V] in [0, 1].
        widths: Hidden units of each machine.
        steps: Updates of each.
        **options: Of `rbm.fit`.
    """
    layers: list[RBM] = []
    for key_of_layer, width in zip(jax.random.split(key, len(widths)), widths, strict=True):
        start, learn = jax.random.split(key_of_layer)
        layer = machine.initial(start, data.shape[1], width)
        layers.append(machine.fit(learn, layer, data, steps=steps, **options))  # pyright: ignore
        data = machine.hidden_probability(layers[-1], data)
    return tuple(layers)


def up(layers: Sequence[RBM], visible: jax.Array) -> jax.Array:
    """Maps visible units [B, V] to the probabilities of the last machine's hidden ones [B, H]."""
    for layer in layers:
        visible = machine.hidden_probability(layer, visible)
    return visible


def reconstruct(layers: Sequence[RBM], visible: jax.Array) -> jax.Array:
    """Maps visible units [B, V] up and down again, to probabilities [B, V]."""
    hidden = up(layers, visible)
    for layer in reversed(layers):
        hidden = machine.visible_probability(layer, hidden)
    return hidden


def classifier(layers: Sequence[RBM], num_classes: int) -> Classifier:
    """Puts a softmax layer, zeros, on pretrained machines."""
    width = len(layers[-1].hidden_bias)
    return Classifier(tuple(layers), jnp.zeros((width, num_classes)), jnp.zeros(num_classes))


def logits(network: Classifier, visible: jax.Array) -> jax.Array:
    """Maps visible units [B, V] to logits [B, K]."""
    return up(network.layers, visible) @ network.weights + network.bias[None]


def fine_tune(
    key: jax.Array,
    network: Classifier,
    data: jax.Array,
    labels: jax.Array,
    *,
    steps: int,
    batch_size: int = 20,
    learning_rate: float = 0.1,
) -> Classifier:
    """Minimises the cross entropy over all layers by gradient descent.

    Args:
        key: Draws batches.
        network: Where to start.
        data: [N, V].
        labels: [N] int32.
        steps: Updates.
        batch_size: Examples of each.
        learning_rate: Of the mean over a batch.
    """

    def loss(network: Classifier, rows: jax.Array) -> jax.Array:
        scores = jax.nn.log_softmax(logits(network, data[rows]))
        return -jnp.take_along_axis(scores, labels[rows][:, None], axis=1).mean()

    def update(network: Classifier, key: jax.Array) -> tuple[Classifier, None]:
        rows = jax.random.randint(key, (batch_size,), 0, len(data))
        grads = jax.grad(loss)(network, rows)
        return jax.tree.map(lambda p, g: p - learning_rate * g, network, grads), None

    return jax.lax.scan(update, network, jax.random.split(key, steps))[0]
