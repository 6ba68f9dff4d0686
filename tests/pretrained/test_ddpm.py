"""DDPM's U-Net against diffusers', through the importer of weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import FORWARD, TRAINING, assert_agrees, count, gradients_that_agree, state_of

from jaxvision import pretrained
from jaxvision.models.generative.ddpm_unet import ddpm_unet
from jaxvision.ops.time_embedding import time_embedding

NAME = "ddpm_cifar10"


@pytest.fixture(scope="module")
def loaded():
    case = fill.load_case("ddpm_unet_small")
    return case, *pretrained.load(NAME, state_of(case))


def channels_last(x):
    return jnp.asarray(x).transpose(0, 2, 3, 1)


def test_predicted_noise_loss_and_gradients_match_reference(loaded):
    case, model, variables = loaded
    assert count(variables) == case["num_params"]
    assert model.widths == tuple(case["channels"]) and model.attention_levels == (1,)
    x, noise = channels_last(case["x_t"]), channels_last(case["noise"])

    @jax.jit
    def step(params):
        def objective(params):
            found = model.apply({"params": params}, x, jnp.asarray(case["t"]), train=False)
            return jnp.square(found - noise).mean(), found

        return jax.value_and_grad(objective, has_aux=True)(params)

    (loss, found), grads = step(variables["params"])
    assert_agrees(found, channels_last(case["predicted_noise"]), FORWARD)
    assert_agrees(loss, case["loss"], TRAINING)
    assert gradients_that_agree(case, NAME, grads, {}) == 5


def test_time_embedding_matches_reference():
    embedding = time_embedding(jnp.array([0, 1, 500, 999]), 32)
    assert_agrees(embedding, fill.load_case("ddpm_unet_small")["time_embedding"], FORWARD)
    with pytest.raises(ValueError, match="even and at least 4, got 7"):
        time_embedding(jnp.zeros(1), 7)


@pytest.mark.parametrize("source", ["diffusers", "pytorch_diffusion"])
def test_export_writes_what_was_read(loaded, source):
    case, _, variables = loaded
    exported = pretrained.export(NAME, variables, source=source)
    if source == "diffusers":
        for key, value in state_of(case).items():
            np.testing.assert_array_equal(exported.pop(key), value)
        assert not exported
        return
    assert exported["up.0.block.2.nin_shortcut.weight"].shape == (32, 64, 1, 1)
    assert exported["down.1.attn.0.q.weight"].shape == (64, 64, 1, 1)
    again = pretrained.load(NAME, exported)[1]
    jax.tree.map(np.testing.assert_array_equal, again, variables)


def test_published_file_of_diffusers_has_other_names_in_attention(loaded):
    case, _, variables = loaded
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = state_of(case)
    for new, name in old.items():
        state = {key.replace(f".{new}.", f".{name}."): value for key, value in state.items()}
    again = pretrained.load(NAME, state)[1]
    jax.tree.map(np.testing.assert_array_equal, again, variables)


def test_classes_are_read_from_the_weights():
    model = ddpm_unet(NAME, channels=1, widths=(32, 64), num_classes=3)
    inputs = jnp.zeros((1, 8, 8, 1)), jnp.zeros(1), jnp.zeros(1, jnp.int32)
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), *inputs, train=False))
    variables = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), variables)
    state = pretrained.export(NAME, variables)
    assert state["class_embedding.weight"].shape == (4, 128)
    found, _ = pretrained.load(NAME, state)
    assert (found.num_classes, found.widths, found.channels) == (3, (32, 64), 1)
