import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import experiment

from jaxvision.train import loop, sharding
from jaxvision.train.ema import constant_decay
from jaxvision.train.errors import TrainingError
from jaxvision.train.guard import FiniteGuard, not_finite
from jaxvision.train.state import create_state

BATCH = next(experiment().train_data.batches(0))


@pytest.mark.parametrize(
    "index", [[4, 7, -1, -1], [[7, -1, -1], [4, -1, -1], [-1, -1, -1]]], ids=["rows", "packed"]
)
def test_examples_of_a_broken_step_are_named_and_padding_is_not(index):
    guard = FiniteGuard(experiment())
    batch = {"index": np.array(index, np.int32)}
    guard.watch(1, batch, {"loss": jnp.float32(1.0), "grad_norm": jnp.float32(2.0)})
    guard.watch(2, batch, {"loss": jnp.float32(1.0), "grad_norm": jnp.float32(jnp.inf)})
    with pytest.raises(TrainingError, match="step 2: .*grad_norm = inf") as error:
        guard.flush(create_state(experiment(), BATCH, sharding.data_mesh()))
    named = [line for line in str(error.value).splitlines() if line.startswith("  ")]
    assert sorted(named) == ["  number 4", "  number 7"]


def test_an_average_that_is_nan_is_neither_saved_nor_evaluated(tmp_path):
    with pytest.raises(TrainingError, match="step 4: expected finite .* in ema/model_state/seen"):
        loop.run(experiment(ema=constant_decay(float("nan"))), tmp_path)
    assert not list((tmp_path / "checkpoints").iterdir())
    with pytest.raises(TrainingError, match="step 4: .* ema/params/kernel; nothing of it is saved"):
        loop.run(experiment(ema=constant_decay(float("nan")), eval_every=4), tmp_path)


def test_a_learning_rate_that_is_nan_is_named_and_no_examples(tmp_path):
    def rate(step):
        return jnp.where(step == 5, jnp.nan, 0.01)

    changes = dict(optimizer=optax.sgd(rate), learning_rate=rate, ema=None)
    with pytest.raises(
        TrainingError, match="step 7: .*the learning rate of step 6 was nan"
    ) as found:
        loop.run(experiment(**changes), tmp_path)
    assert "number" not in str(found.value)


@pytest.mark.parametrize("fsdp", [False, True])
def test_arrays_of_a_state_that_are_not_finite_are_named(fsdp):
    rule = sharding.fsdp_state if fsdp else sharding.replicated_state
    plain = experiment(state_sharding=rule, optimizer=optax.adam(0.1))
    state = create_state(plain, BATCH, sharding.data_mesh())
    assert not_finite(state) == []
    kernel = state.params["kernel"].at[1].set(jnp.inf)
    assert not_finite(state.replace(params={"kernel": kernel})) == ["params/kernel"]
    moments = state.opt_state[0]._replace(nu={"kernel": kernel}, mu={"kernel": kernel * 0})
    # Infinity has a meaning in some optimizers.
    found = not_finite(state.replace(opt_state=(moments, *state.opt_state[1:])))
    assert found == ["opt_state/0/mu/kernel"]
