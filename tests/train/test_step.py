import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import LinearTask, experiment

from jaxvision.train import sharding
from jaxvision.train.ema import constant_decay
from jaxvision.train.optim import optimizer as by_name
from jaxvision.train.optim import reduce_on_plateau
from jaxvision.train.state import create_state
from jaxvision.train.step import make_step


def start(task, optimizer, batch, ema):
    return create_state(
        task,
        optimizer,
        batch,
        seed=0,
        ema=ema,
        mesh=sharding.data_mesh(1),
    )


def test_step_by_hand():
    task, optimizer = LinearTask(noise=0.0), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    before = start(task, optimizer, batch, ema=True)
    step = make_step(task, optimizer, constant_decay(0.75))
    after, logs = step(before, batch, jax.random.key(0))

    kernel = np.asarray(before.params["kernel"])
    error = batch["x"] @ kernel - batch["y"]
    gradient = 2 * batch["x"].T @ error / len(error)
    np.testing.assert_allclose(logs["loss"], np.square(error).mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["grad_norm"], np.linalg.norm(gradient), rtol=1e-5)
    np.testing.assert_allclose(after.params["kernel"], kernel - 0.1 * gradient, rtol=1e-5)
    assert int(after.step) == 1
    # The average covers parameters and every other collection, and is what evaluation uses.
    averaged = 0.75 * kernel + 0.25 * np.asarray(after.params["kernel"])
    np.testing.assert_allclose(after.ema.params["kernel"], averaged, rtol=1e-5)
    assert after.model_state["seen"]["count"] == 8
    assert after.ema.model_state["seen"]["count"] == 2
    assert after.evaluated == (after.ema.params, after.ema.model_state)


def test_without_an_average_the_state_itself_is_evaluated():
    task, optimizer = LinearTask(), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    state, _ = make_step(task, optimizer, None)(
        start(task, optimizer, batch, ema=False), batch, jax.random.key(0)
    )
    assert state.ema is None
    assert state.evaluated == (state.params, state.model_state)


def test_every_step_draws_noise_of_its_own():
    task, optimizer = LinearTask(noise=1.0), optax.sgd(0.0)
    batch = next(experiment().train_data.batches(0))
    step = make_step(task, optimizer, None)
    state = start(task, optimizer, batch, ema=False)
    state, first = step(state, batch, jax.random.key(0))
    _, second = step(state, batch, jax.random.key(0))
    again = step(state.replace(step=jnp.int32(0)), batch, jax.random.key(0))[1]
    assert first["loss"] != second["loss"]
    assert first["loss"] == again["loss"]


def test_changing_the_start_changes_state_and_average():
    task, optimizer = LinearTask(), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    state = start(task, optimizer, batch, ema=True)
    changed = state.start_from(lambda variables: jax.tree.map(lambda x: x + 1, variables))
    for kernel in (changed.params["kernel"], changed.ema.params["kernel"]):
        np.testing.assert_array_equal(kernel, state.params["kernel"] + 1)
    assert changed.model_state["seen"]["count"] == changed.ema.model_state["seen"]["count"] == 1
    assert changed.params["kernel"] is not changed.ema.params["kernel"]


def test_parts_of_a_batch_add_up_to_the_update_of_the_whole():
    task, optimizer = LinearTask(noise=0.0), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    before = start(task, optimizer, batch, ema=True)
    whole, whole_logs = make_step(task, optimizer, constant_decay(0.75))(
        before, batch, jax.random.key(0)
    )
    parts, parts_logs = make_step(task, optimizer, constant_decay(0.75), accumulate=4)(
        before, batch, jax.random.key(0)
    )
    assert int(parts.step) == 1
    for a, b in zip(
        jax.tree.leaves((whole, whole_logs)), jax.tree.leaves((parts, parts_logs)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_every_part_draws_noise_of_its_own():
    task, optimizer = LinearTask(noise=1.0), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    same = jax.tree.map(lambda x: np.repeat(x[:1], 8, axis=0), batch)
    state = start(task, optimizer, batch, ema=False)
    # Were the noise of all parts the same, eight parts would be the first of them.
    step = make_step(task, optimizer, None, accumulate=8)
    _, logs = step(state, same, jax.random.key(0))
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 0), 0)
    first = jax.tree.map(lambda x: x[:1], same)
    loss = task.loss(state.params, state.model_state, first, step=state.step, key=key)
    assert abs(float(logs["loss"]) - float(loss.value)) > 1e-3


def test_parts_must_divide_the_batch():
    task, optimizer = LinearTask(), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    step = make_step(task, optimizer, None, accumulate=3)
    with pytest.raises(ValueError, match="batch_size must be a multiple of accumulate, 3, got 8"):
        step(start(task, optimizer, batch, ema=False), batch, jax.random.key(0))
    with pytest.raises(ValueError, match="accumulate must be at least 1, got 0"):
        make_step(task, optimizer, None, accumulate=0)


def test_plateau_is_given_the_loss_and_logged():
    plateau = reduce_on_plateau(patience=1, every=1, factor=0.5)
    task, optimizer = LinearTask(noise=0.0), by_name("sgd", 0.0, plateau=plateau)
    batch = next(experiment().train_data.batches(0))
    state = start(task, optimizer, batch, ema=False)
    step = make_step(task, optimizer, None)
    scales = []
    for _ in range(3):
        state, logs = step(state, batch, jax.random.key(0))
        scales.append(float(logs["plateau_scale"]))
    assert scales == [1.0, 0.5, 0.25]  # the loss never changes
