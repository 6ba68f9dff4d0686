"""Steps that are not finite: skipped and counted, or made again to find the operation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import LinearTask, equal, experiment, logged

from jaxvision.tasks.task import Loss
from jaxvision.train import failed, loop
from jaxvision.train.errors import TrainingError
from jaxvision.train.replay import replay
from jaxvision.train.skip import skipping
from jaxvision.train.state import LossMean, TrainState


@dataclasses.dataclass(frozen=True)
class Breaks(LinearTask):
    """Takes the logarithm of a negative number at one step, or at all from it on."""

    at: int = 6
    always: bool = False

    def loss(self, params, state, batch, *, step, key):
        loss = super().loss(params, state, batch, step=step, key=key)
        wrong = step >= self.at if self.always else step == self.at
        value = jnp.log(jnp.where(wrong, -1.0, 1.0) * loss.value)  # the operation
        return Loss(value, loss.state, loss.logs)


def test_a_step_that_is_not_finite_is_skipped_counted_and_changes_nothing(tmp_path, caplog):
    found = loop.run(experiment(task=Breaks(), non_finite="skip"), tmp_path)
    assert found.outcome is loop.Outcome.FINISHED and int(found.state.step) == 20
    assert "step 7 is skipped, the update is not made: loss = nan" in caplog.text
    assert "skipped since the start: 1" in caplog.text
    assert [step for step, x in logged(tmp_path, "train/skipped").items() if x] == [7]
    # The examples of the step were not seen.
    assert float(found.state.model_state["seen"]["count"]) == 19 * 8


def test_a_run_that_skips_all_its_steps_ends(tmp_path):
    broken = experiment(task=Breaks(always=True), non_finite="skip", total_steps=60)
    with pytest.raises(TrainingError, match="step 26: 20 steps in a row were skipped, the last"):
        loop.run(broken, tmp_path)


def test_a_loss_that_jumps_is_skipped_once_its_mean_is_known():
    def step(state, batch, key):
        new = state.replace(step=state.step + 1, params=state.params + 1)
        return new, {"loss": batch["loss"]}

    careful = jax.jit(skipping(step, non_finite=False, spike=3.0))
    mean = LossMean.initial()
    state = TrainState(jnp.int32(0), jnp.int32(0), {}, (), None, loss_mean=mean)

    def after(losses):
        current = state
        for loss in losses:
            current, logs = careful(current, {"loss": jnp.float32(loss)}, None)
        return int(current.step), int(current.params), float(logs["skipped"])

    assert after([1.0] * 49 + [9.0]) == (50, 50, 0.0)
    assert after([1.0] * 50 + [2.9]) == (51, 51, 0.0)
    assert after([1.0] * 50 + [3.1]) == (51, 50, 1.0)
    # The one that is skipped does not raise the mean; NaN is left to the guard.
    assert after([-1.0] * 50 + [1.5, 0.9]) == (52, 51, 0.0)
    assert after([1.0] * 50 + [np.nan]) == (51, 51, 0.0)


def test_a_run_continues_with_and_without_looking_for_jumps(tmp_path):
    for steps, spike in ((4, 0.0), (8, 3.0), (12, 2.0), (16, 0.0)):
        found = loop.run(experiment(total_steps=steps, spike=spike), tmp_path)
        assert found.outcome is loop.Outcome.FINISHED and int(found.state.step) == steps
        mean = found.state.loss_mean
        assert (mean is None) if not spike else int(mean.count) == steps - 4


def test_replay_of_the_kept_batch_names_the_operation(tmp_path):
    broken = experiment(task=Breaks())
    with pytest.raises(TrainingError, match="With --replay=7 it .*step_7.npz holds"):
        loop.run(broken, tmp_path)
    assert failed.failed_steps(tmp_path) == [7]
    assert equal(failed.read_batch(tmp_path, 7), next(broken.train_data.batches(6)))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name != ".lock"}
    found = replay(broken, tmp_path, 7)
    assert np.isnan(found.logs["loss"]) and found.found == "invalid value (nan) encountered in log"
    assert found.place[-1].endswith("# the operation")
    assert replay(broken, tmp_path, 6).found == ""
    assert before == {p: p.stat().st_mtime_ns for p in before}
    with pytest.raises(ValueError, match="after the newest checkpoint, of step 4, got 4"):
        replay(broken, tmp_path, 4)
    (tmp_path / "failed/step_7.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="step_7.npz is damaged"):
        replay(broken, tmp_path, 7)
