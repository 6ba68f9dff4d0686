import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import LinearTask, experiment

from jaxvision.train import sharding
from jaxvision.train.ema import constant_decay
from jaxvision.train.state import create_state
from jaxvision.train.step import make_step


def start(batch, **fields):
    return create_state(experiment(**fields), batch, sharding.data_mesh(1))


def test_step_by_hand():
    task, optimizer = LinearTask(noise=0.0), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    before = start(batch, task=task, optimizer=optimizer)
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
        start(batch, task=task, optimizer=optimizer, ema=None), batch, jax.random.key(0)
    )
    assert state.ema is None
    assert state.evaluated == (state.params, state.model_state)


def test_every_step_draws_noise_of_its_own():
    task, optimizer = LinearTask(noise=1.0), optax.sgd(0.0)
    batch = next(experiment().train_data.batches(0))
    step = make_step(task, optimizer, None)
    state = start(batch, task=task, optimizer=optimizer, ema=None)
    state, first = step(state, batch, jax.random.key(0))
    _, second = step(state, batch, jax.random.key(0))
    again = step(state.replace(step=jnp.int32(0)), batch, jax.random.key(0))[1]
    assert first["loss"] != second["loss"]
    assert first["loss"] == again["loss"]


def test_new_variables_are_those_of_state_and_average():
    batch = next(experiment().train_data.batches(0))
    state = start(batch)
    changed = state.with_variables(jax.tree.map(lambda x: x + 1, state.variables))
    for kernel in (changed.params["kernel"], changed.ema.params["kernel"]):
        np.testing.assert_array_equal(kernel, state.params["kernel"] + 1)
    assert changed.model_state["seen"]["count"] == changed.ema.model_state["seen"]["count"] == 1
    assert changed.params["kernel"] is not changed.ema.params["kernel"]


def test_new_evaluated_variables_leave_those_that_learn_where_there_is_an_average():
    batch = next(experiment().train_data.batches(0))
    new = {"kernel": np.float32([1, 2, 3])}, {"seen": {"count": np.float32(7)}}
    averaged, plain = start(batch), start(batch, ema=None)
    for state in (averaged.with_evaluated(*new), plain.with_evaluated(*new)):
        np.testing.assert_array_equal(state.evaluated[0]["kernel"], [1, 2, 3])
        assert state.evaluated[1]["seen"]["count"] == 7
    kernel = averaged.with_evaluated(*new).params["kernel"]
    np.testing.assert_array_equal(kernel, averaged.params["kernel"])


def test_parts_of_a_batch_add_up_to_the_update_of_the_whole():
    task, optimizer = LinearTask(noise=0.0), optax.sgd(0.1)
    batch = next(experiment().train_data.batches(0))
    before = start(batch, task=task, optimizer=optimizer)
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
    state = start(batch, task=task, optimizer=optimizer, ema=None)
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
        step(start(batch, task=task, optimizer=optimizer, ema=None), batch, jax.random.key(0))
    with pytest.raises(ValueError, match="accumulate must be at least 1, got 0"):
        make_step(task, optimizer, None, accumulate=0)


def test_parts_are_cut_along_the_axis_that_the_stream_names():
    class Transposed(LinearTask):
        def loss(self, params, state, batch, *, step, key):
            assert batch["table"].shape == (5,)
            batch = {**batch, "x": batch["x"].T}
            return super().loss(params, state, batch, step=step, key=key)

    batch = next(experiment().train_data.batches(0))
    turned = {**batch, "x": batch["x"].T, "table": np.zeros(5, np.float32)}
    state = start(batch, ema=None)
    axes = {"x": 1, "table": None}
    made = [
        make_step(LinearTask(0.0), experiment().optimizer, None, accumulate=4),
        make_step(
            Transposed(0.0),
            experiment().optimizer,
            None,
            accumulate=4,
            axis=lambda key: axes.get(key, 0),
        ),
    ]
    one, two = (
        step(state, given, jax.random.key(0))[0]
        for step, given in zip(made, (batch, turned), strict=True)
    )
    np.testing.assert_allclose(one.params["kernel"], two.params["kernel"], rtol=1e-6)
