"""Restricted Boltzmann machines and deep belief networks."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees

from jaxvision.models.history import dbn, rbm


@pytest.fixture(scope="module")
def case():
    case = {k: v for k, v in fill.load_case("rbm").items() if k != "spec"}
    return {k: jnp.asarray(v, jnp.float32) for k, v in case.items()}


@pytest.fixture(scope="module")
def machine(case):
    return rbm.RBM(case["W"], case["visible_bias"], case["hidden_bias"])


def test_energies_and_likelihoods_match_reference(case, machine):
    energy = rbm.free_energy(machine, case["v0"])
    assert_agrees(energy, case["free_energy"], 1e-5)
    assert_agrees(rbm.hidden_probability(machine, case["v0"]), case["hidden_probability"], 1e-5)
    log_partition = rbm.log_partition(machine)
    assert_agrees(log_partition, case["log_partition"], 1e-5)
    assert_agrees(-energy.mean() - log_partition, case["log_likelihood"], 1e-5)
    assert_agrees(
        rbm.pseudo_log_likelihood(machine, case["v0"]), case["pseudo_log_likelihood"], 1e-5
    )


@pytest.mark.parametrize("k", [1, 2])
def test_contrastive_divergence_matches_reference(case, machine, k):
    step = rbm.contrastive_divergence(
        machine, case["v0"], case["uniform_hidden"][:k], case["uniform_visible"][:k]
    )
    np.testing.assert_array_equal(step.visible, case[f"v{k}"])
    assert_agrees(step.reconstruction, case[f"reconstruction_probability{k}"], 1e-5)
    assert_agrees(step.update.weights, case[f"cd{k}_dW"], 1e-5)
    assert_agrees(step.update.visible_bias, case[f"cd{k}_dvisible"], 1e-5)
    assert_agrees(step.update.hidden_bias, case[f"cd{k}_dhidden"], 1e-5)


def test_partition_of_many_hidden_units_is_refused():
    many = rbm.RBM(jnp.zeros((2, 21)), jnp.zeros(2), jnp.zeros(21))
    with pytest.raises(ValueError, match="H must be at most 20, got 21"):
        rbm.log_partition(many)


def test_deep_belief_network_reconstructs_and_classifies_bars():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    bars = np.zeros((200, 4, 4), np.float32)
    bars[np.arange(200), labels] = 1
    data, labels = jnp.asarray(bars.reshape(200, 16)), jnp.asarray(labels, jnp.int32)
    layers = dbn.pretrain(jax.random.key(0), data, (12, 8), steps=500, learning_rate=0.3)
    error = jnp.abs(dbn.reconstruct(layers, data) - data).mean()
    mean_error = jnp.abs(data.mean(0)[None] - data).mean()
    assert error < 0.3 * mean_error
    network = dbn.classifier(layers, 4)
    network = dbn.fine_tune(jax.random.key(1), network, data, labels, steps=300, learning_rate=0.5)
    assert (dbn.logits(network, data).argmax(-1) == labels).all()
