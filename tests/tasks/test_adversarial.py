"""Two players that take turns: who moves, what rests, and a run that is killed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import KilledError, equal, killed_at

from jaxvision.losses.adversarial import LOSSES
from jaxvision.models.generative.catalogue import discriminator, generator
from jaxvision.recipes import adversarial
from jaxvision.tasks.adversarial import AdversarialGeneration
from jaxvision.train.loop import run

TINY = dict(size=16, width=4)


@pytest.fixture(scope="module")
def task():
    return AdversarialGeneration(
        model=generator("dcgan_generator_small", **TINY, latent=6),
        discriminator=discriminator("dcgan_discriminator_small", **TINY),
        discriminator_steps=2,
    )


def batch(rows=4):
    image = np.random.default_rng(0).integers(0, 256, (rows, 16, 16, 3), np.uint8)
    return {"image": image, "label": np.zeros(rows, np.int32), "index": np.arange(rows)}


@pytest.fixture(scope="module")
def variables(task):
    return jax.jit(task.init)(jax.random.key(0), batch())


@pytest.fixture(scope="module")
def gradient(task):
    def loss(params, state, step):
        found = task.loss(params, state, batch(), step=step, key=jax.random.key(1))
        return found.value, found

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.mark.parametrize(
    ("step", "mover", "rests"),
    [(0, "discriminator", "generator"), (1, "discriminator", "generator")]
    + [(2, "generator", "discriminator"), (3, "discriminator", "generator")],
)
def test_the_resting_player_has_no_gradient_and_keeps_its_statistics(
    variables, gradient, step, mover, rests
):
    params, state = variables
    (_, found), grads = gradient(params, state, jnp.int32(step))
    assert not any(np.any(x) for x in jax.tree.leaves(grads[rests]))
    assert all(np.any(x) for x in jax.tree.leaves(grads[mover]))
    old, new = state["batch_stats"], found.state["batch_stats"]
    assert equal(old[rests], new[rests]) and not equal(old[mover], new[mover])


def test_real_and_generated_images_are_normalised_apart(task, variables, gradient):
    """The discriminator's statistics are moved by real images first, then by generated ones."""
    params, state = variables
    (_, found), _ = gradient(params, state, jnp.int32(0))
    noise_key = jax.random.split(jax.random.key(1), 3)[0]

    def applied(network, player, x, stats):
        given = {"params": params[player], "batch_stats": stats}
        return network.apply(given, x, train=True, mutable=["batch_stats"])

    stats = state["batch_stats"]
    noise = jax.random.normal(noise_key, (4, 6))
    fake = applied(task.model, "generator", noise, stats["generator"])[0]
    real = batch()["image"].mean(axis=-1, keepdims=True) / 127.5 - 1
    new = applied(task.discriminator, "discriminator", real, stats["discriminator"])[1]
    new = applied(task.discriminator, "discriminator", fake, new["batch_stats"])[1]
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        found.state["batch_stats"]["discriminator"],
        new["batch_stats"],
    )


def experiment():
    config = adversarial.defaults()
    config.update(image_size=(16, 16), batch_size=8, latent=6, epochs=2, num_workers=0, log_every=1)
    config.update(save_every=3, eval_every=5)
    config.data.update(train_images=40)
    config.eval.samples = 8
    config.model.width = 4
    config.optimizer.update(name="adam", learning_rate=1e-2, b1=0.5)
    config.schedule.name = "constant"
    config.ema.update(decay=0.9, warmup=0)
    found = adversarial.experiment(config)
    judge = discriminator("dcgan_discriminator_small", **TINY)
    return dataclasses.replace(found, task=dataclasses.replace(found.task, discriminator=judge))


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_bits(tmp_path, capsys):
    straight = run(experiment(), tmp_path / "straight").state
    with pytest.raises(KilledError):
        run(killed_at(experiment(), 5), tmp_path / "killed")
    again = run(experiment(), tmp_path / "killed").state
    assert equal(straight.variables, again.variables)
    assert equal(straight.ema, again.ema)
    # Both players' moments are in the checkpoint, and moved at their turns alone.
    assert equal(straight.opt_state, again.opt_state)
    moves = straight.opt_state.inner.inner_states
    counts = {
        name: [int(x) for x in jax.tree.leaves(part) if x.dtype == jnp.int32 and x.ndim == 0]
        for name, part in moves.items()
    }
    assert 5 in counts["generator"] and 5 in counts["discriminator"]
    assert (tmp_path / "straight" / "plots" / "samples_grid_10.png").is_file()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_moves_the_player_whose_turn_it_is(task, name):
    other = dataclasses.replace(task, loss_name=name)
    params, state = jax.eval_shape(task.init, jax.random.key(0), batch())
    found = jax.eval_shape(
        lambda p, s: other.loss(p, s, batch(), step=jnp.int32(0), key=jax.random.key(0)),
        params,
        state,
    )
    assert found.value.shape == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(loss_name="wgan"), "adversarial loss must be one of non_saturating"),
        (dict(discriminator_steps=0), r"discriminator_steps must be in .1, 1_000_000., got 0"),
        (dict(noise="cauchy"), "noise must be one of normal, uniform, got 'cauchy'"),
    ],
)
def test_wrong_options_are_errors(task, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(task, **changes)


def test_images_of_another_size_are_an_error(task, variables):
    rows = {**batch(), "image": np.zeros((4, 8, 8, 3), np.uint8)}
    with pytest.raises(ValueError, match="must be 16 x 16 pixels, .* got 8 x 8"):
        task.loss(*variables, rows, step=0, key=jax.random.key(0))


def test_size_of_a_dcgan_is_a_power_of_two():
    model = generator("dcgan_generator", size=48)
    with pytest.raises(ValueError, match="size must be 8, 16, 32, 64 .* got 48"):
        jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 100)), train=False))
