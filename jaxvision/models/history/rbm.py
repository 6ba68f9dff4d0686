"""The restricted Boltzmann machine and contrastive divergence.

Training Products of Experts by Minimizing Contrastive Divergence, Hinton 2002,
https://doi.org/10.1162/089976602760128018, section 5; A Practical Guide to Training Restricted
Boltzmann Machines, Hinton 2010, section 3: visible and hidden units are binary, hidden states are
sampled where they drive the visible ones, probabilities are used in the statistics.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class RBM(NamedTuple):
    """Parameters of a machine with V visible and H hidden binary units.

    Attributes:
        weights: [V, H].
        visible_bias: [V].
        hidden_bias: [H].
    """

    weights: jax.Array
    visible_bias: jax.Array
    hidden_bias: jax.Array


def initial(key: jax.Array, visible: int, hidden: int) -> RBM:
    """Draws weights from N(0, 0.01^2), biases 0 (Hinton 2010, section 8)."""
    weights = 0.01 * jax.random.normal(key, (visible, hidden))
    return RBM(weights, jnp.zeros(visible), jnp.zeros(hidden))


def hidden_probability(rbm: RBM, visible: jax.Array) -> jax.Array:
    """Returns the probability [B, H] that hidden units are 1, given visible ones [B, V]."""
    return jax.nn.sigmoid(visible @ rbm.weights + rbm.hidden_bias[None])


def visible_probability(rbm: RBM, hidden: jax.Array) -> jax.Array:
    """Returns the probability [B, V] that visible units are 1, given hidden ones [B, H]."""
    return jax.nn.sigmoid(hidden @ rbm.weights.T + rbm.visible_bias[None])


def free_energy(rbm: RBM, visible: jax.Array) -> jax.Array:
    """Returns F(v) [B], where p(v) is exp(-F(v)) / Z."""
    net = visible @ rbm.weights + rbm.hidden_bias[None]
    return -visible @ rbm.visible_bias - jax.nn.softplus(net).sum(axis=1)


def log_partition(rbm: RBM) -> jax.Array:
    """Returns log Z [] by going through all 2^H hidden states: for at most 20 or so units.

    Raises:
        ValueError: If there are more than 20 hidden units.
    """
    count = len(rbm.hidden_bias)
    if count > 20:
        raise ValueError(f"log Z is a sum of 2^H terms: H must be at most 20, got {count}")
    hidden = (jnp.arange(2**count)[:, None] >> jnp.arange(count)[None] & 1).astype(jnp.float32)
    net = hidden @ rbm.weights.T + rbm.visible_bias[None]
    return jax.nn.logsumexp(hidden @ rbm.hidden_bias + jax.nn.softplus(net).sum(axis=1))


def pseudo_log_likelihood(rbm: RBM, visible: jax.Array) -> jax.Array:
    """Mean over the batch of sum_i log p(v_i | all other units of v) [], exactly.

    Args:
        rbm: The machine.
        visible: Binary [B, V].
    """

    def one(i: jax.Array) -> jax.Array:
        flipped = visible.at[:, i].set(1 - visible[:, i])
        return jax.nn.log_sigmoid(free_energy(rbm, flipped) - free_energy(rbm, visible)).mean()

    return jax.lax.map(one, jnp.arange(visible.shape[1])).sum()


class Step(NamedTuple):
    """One step of contrastive divergence.

    Attributes:
        update: Estimate of the gradient of the log likelihood.
        visible: The last sample [B, V], from which persistent chains go on.
        reconstruction: Probabilities that it was drawn from [B, V].
    """

    update: RBM
    visible: jax.Array
    reconstruction: jax.Array


def contrastive_divergence(
    rbm: RBM,
    visible: jax.Array,
    uniform_hidden: jax.Array,
    uniform_visible: jax.Array,
    chains: jax.Array | None = None,
) -> Step:
    """Makes k steps of Gibbs sampling and compares statistics before and after (CD-k).

    Args:
        rbm: The machine.
        visible: Data [B, V], binary or probabilities.
        uniform_hidden: Numbers from U(0, 1) that decide the samples [k, B, H].
        uniform_visible: Likewise [k, B, V].
        chains: Where the sampling starts [B, V]: by default the data; the last step's `visible`
            for persistent chains (Tieleman 2008).
    """

    def gibbs(state: tuple, uniform: tuple[jax.Array, jax.Array]) -> tuple:
        sample, _ = state
        hidden = (uniform[0] < hidden_probability(rbm, sample)).astype(visible.dtype)
        probability = visible_probability(rbm, hidden)
        return ((uniform[1] < probability).astype(visible.dtype), probability), None

    start = visible if chains is None else chains
    uniforms = uniform_hidden, uniform_visible
    (sample, probability), _ = jax.lax.scan(gibbs, (start, start), uniforms)
    before, after = hidden_probability(rbm, visible), hidden_probability(rbm, sample)
    update = RBM(
        (visible.T @ before - sample.T @ after) / len(visible),
        (visible - sample).mean(axis=0),
        (before - after).mean(axis=0),
    )
    return Step(update, sample, probability)


def fit(
    key: jax.Array,
    rbm: RBM,
    data: jax.Array,
    *,
    steps: int,
    batch_size: int = 20,
    learning_rate: float = 0.1,
    momentum: float = 0.5,
    weight_decay: float = 1e-4,
    gibbs_steps: int = 1,
) -> RBM:
    """Learns by CD-k on batches drawn from the data.

    Args:
        key: Draws batches and samples.
        rbm: Where to start.
        data: [N, V], binary or probabilities.
        steps: Updates.
        batch_size: Examples of each.
        learning_rate: Of the mean over a batch.
        momentum: Share of the update before that is kept.
        weight_decay: Of the weights, not of the biases.
        gibbs_steps: k.
    """

    def update(state: tuple[RBM, RBM], key: jax.Array) -> tuple[tuple[RBM, RBM], None]:
        rbm, velocity = state
        keys = jax.random.split(key, 3)
        batch = data[jax.random.randint(keys[0], (batch_size,), 0, len(data))]
        shape = (gibbs_steps, batch_size)
        step = contrastive_divergence(
            rbm,
            batch,
            jax.random.uniform(keys[1], (*shape, len(rbm.hidden_bias))),
            jax.random.uniform(keys[2], (*shape, len(rbm.visible_bias))),
        )
        gradient = step.update._replace(weights=step.update.weights - weight_decay * rbm.weights)
        velocity = jax.tree.map(lambda v, g: momentum * v + learning_rate * g, velocity, gradient)
        return (jax.tree.map(jnp.add, rbm, velocity), velocity), None

    start = rbm, jax.tree.map(jnp.zeros_like, rbm)
    return jax.lax.scan(update, start, jax.random.split(key, steps))[0][0]
