"""What an experiment can hold besides a task and its data."""

import logging

import jax
import numpy as np
import optax
import pytest
import toy
from toy import Carried, GraphTask, LinearTask, Taught, TwoPlayers, equal, experiment, logged

from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream
from jaxvision.train import loop, sharding
from jaxvision.train.errors import TrainingError
from jaxvision.train.evaluate import prediction_key
from jaxvision.train.experiment import EvalSet, Report
from jaxvision.train.players import players
from jaxvision.train.saved import read_checkpoint
from jaxvision.train.state import create_state
from jaxvision.train.step import make_step


def two_players(**changes):
    fields = dict(task=TwoPlayers(), optimizer=toy.two_player_optimizer(), ema=lambda n: 0.5)
    return experiment(**(fields | changes))


def test_players_take_turns_and_all_of_the_other_rests():
    wanted = two_players()
    state = create_state(wanted, next(wanted.train_data.batches(0)), sharding.data_mesh(1))
    step = jax.jit(make_step(wanted.task, wanted.optimizer, wanted.ema))

    def of_player(state, name):
        return (
            state.params[name],
            state.opt_state.inner.inner_states[name].inner_state.inner_state,
            state.ema.params[name],
            state.ema.model_state["seen"][name],
        )

    for number, batch in zip(range(6), wanted.train_data.batches(0), strict=False):
        before, (state, _) = state, step(state, batch, jax.random.key(0))
        mover, rests = ("generator", "discriminator")[:: 1 if number % 3 == 2 else -1]
        assert equal(of_player(before, rests), of_player(state, rests))
        for old, new in zip(of_player(before, mover), of_player(state, mover), strict=True):
            assert not equal(old, new)
    counts = {k: int(v) for k, v in state.model_state["seen"].items()}
    assert counts == {"generator": 2, "discriminator": 4}


def test_resumed_players_go_on_with_their_turns(tmp_path):
    straight = loop.run(two_players(total_steps=9)).state
    loop.run(two_players(total_steps=4), tmp_path)
    resumed = loop.run(two_players(total_steps=9), tmp_path).state
    assert equal(straight, resumed)


def test_players_are_named_as_the_parts_of_the_parameters():
    wrong = players({"critic": (optax.sgd(0.1), toy.generator_turn)})
    with pytest.raises(ValueError, match="parts of the parameters, .*'generator'.*critic"):
        loop.run(two_players(optimizer=wrong))


def carried(**changes):
    fields = dict(task=Carried(), collections={"carry": "rows"}, total_steps=6)
    return experiment(**(fields | changes))


def sums(wanted, steps):
    batches = wanted.train_data.batches(0)
    return np.sum([next(batches)["x"] for _ in range(steps)], axis=0)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_rows_of_the_state_belong_to_rows_of_the_batch(monkeypatch, accumulate):
    two = sharding.data_mesh(2)
    monkeypatch.setattr(sharding, "data_mesh", lambda: two)
    wanted = carried(accumulate=accumulate)
    state = loop.run(wanted).state
    carry = state.rows["carry"]["sum"]
    np.testing.assert_allclose(carry, sums(wanted, 6), rtol=1e-5)
    assert not carry.sharding.is_fully_replicated
    # Neither averaged nor seen by the evaluation.
    assert "carry" not in state.ema.model_state and "carry" not in state.evaluated[1]


def test_rows_survive_a_resume_to_the_last_bit(tmp_path):
    straight = loop.run(carried()).state
    loop.run(carried(total_steps=4), tmp_path)
    assert equal(straight, loop.run(carried(), tmp_path).state)
    variables, _ = read_checkpoint(tmp_path)
    assert set(variables) == {"params"}


def test_rows_start_anew_with_a_warning_if_the_batch_size_changes(tmp_path, caplog):
    loop.run(carried(total_steps=4), tmp_path)
    wanted = carried(batch_size=16, total_steps=5)
    with caplog.at_level(logging.WARNING, logger="absl"):
        state = loop.run(wanted, tmp_path).state
    assert "the batch size has changed: the rows of carry start anew" in caplog.text
    batch = next(wanted.train_data.batches(4))
    np.testing.assert_allclose(state.rows["carry"]["sum"], batch["x"], rtol=1e-6)


def test_collection_that_is_copied_is_the_newest_in_the_average():
    states = {}
    for kind in ("average", "copy"):
        states[kind] = loop.run(experiment(collections={"seen": kind}, total_steps=3)).state
    assert states["copy"].ema.model_state["seen"]["count"] == 24
    assert states["average"].ema.model_state["seen"]["count"] < 24


def test_collection_that_the_model_does_not_have_is_an_error():
    with pytest.raises(ValueError, match=r"of the model's state, \['seen'\], got \['carry'\]"):
        loop.run(experiment(collections={"carry": "rows"}))


TEACHER = {"kernel": np.float32([5.0, 6.0, 7.0])}


def taught(teacher=TEACHER, **changes):
    fields = dict(task=Taught(0.0), constants={"teacher": teacher}, accumulate=2, total_steps=40)
    fields |= dict(eval_every=40, save_every=40)
    return experiment(**(fields | changes))


def test_constants_are_seen_by_the_loss_and_are_not_saved(tmp_path):
    state = loop.run(taught(), tmp_path).state
    np.testing.assert_allclose(state.params["kernel"], TEACHER["kernel"], atol=0.3)
    variables, meta = read_checkpoint(tmp_path)
    assert set(variables["params"]) == {"kernel"}
    assert set(meta["constants"]) == {"teacher"}


def test_run_is_continued_with_the_same_constants_only(tmp_path):
    loop.run(taught(total_steps=4), tmp_path)
    other = {"kernel": np.float32([5.0, 6.0, 8.0])}
    with pytest.raises(TrainingError, match="4 was trained with other constants: teacher"):
        loop.run(taught(other), tmp_path)
    loop.run(taught(total_steps=5), tmp_path)


def test_constant_with_the_name_of_an_array_of_the_batch_is_an_error():
    with pytest.raises(ValueError, match="other names than the arrays of a batch, both have x"):
        loop.run(experiment(constants={"x": np.zeros(3)}))


def graph(**changes):
    fields = dict(
        task=GraphTask(0.0),
        train_data=toy.graph_stream(Shuffled(1, 1)),
        eval_data={"val": EvalSet(toy.graph_stream(InOrder(1, 1)))},
        optimizer=optax.adam(0.1),
        total_steps=60,
        eval_every=60,
    )
    return experiment(**(fields | changes))


def test_graph_without_an_axis_of_examples_is_on_every_device(tmp_path, capsys):
    result = loop.run(graph(), tmp_path)
    assert result.metrics["val/score"] > -0.5
    assert "batches of 1 examples, 1 steps per epoch" in capsys.readouterr().out


def test_graph_may_be_a_constant():
    whole = toy.graph(0, None)
    constants = {key: whole.pop(key) for key in ("adjacency", "nodes")}

    def stream(plan):
        return Stream(
            plan, None, lambda examples, rows: dict(whole), axes={"labels": None, "mask": None}
        )

    wanted = graph(
        train_data=stream(Shuffled(1, 1)),
        eval_data={"val": EvalSet(stream(InOrder(1, 1)))},
        constants=constants,
    )
    assert equal(loop.run(wanted).state, loop.run(graph()).state)


def test_sets_are_evaluated_each_time_or_at_the_end(tmp_path, capsys):
    sets = {
        "val": EvalSet(toy.eval_stream()),
        "val/small": EvalSet(toy.eval_stream(3)),
        "test": EvalSet(toy.eval_stream(9), at_end=True),
    }
    result = loop.run(experiment(eval_data=sets), tmp_path)
    assert set(logged(tmp_path, "val/score")) == {10, 20}
    assert set(logged(tmp_path, "val/small/score")) == {10, 20}
    assert set(logged(tmp_path, "test/score")) == {20}
    assert set(result.metrics) == {"val/score", "val/small/score", "test/score"}
    assert len(set(result.metrics.values())) == 3
    shown = capsys.readouterr().out
    assert "evaluation of val, val/small, test: works" in shown
    # A run that is started again knows them.
    again = loop.run(experiment(eval_data=sets), tmp_path)
    assert again.metrics == result.metrics and equal(again.state, result.state)


def test_run_that_stops_early_still_evaluates_at_the_end(tmp_path):
    sets = {"val": EvalSet(toy.eval_stream()), "test": EvalSet(toy.eval_stream(9), at_end=True)}
    still = dict(optimizer=optax.sgd(0.0), eval_data=sets, patience=2, eval_every=3)
    result = loop.run(experiment(**still), tmp_path)
    assert int(result.state.step) == 9
    assert set(logged(tmp_path, "test/score")) == {9} and "val/score" in result.metrics
    assert loop.run(experiment(**still), tmp_path).metrics == result.metrics


def test_run_without_evaluation_sets(tmp_path):
    result = loop.run(experiment(eval_data={}, best=None, total_steps=3), tmp_path)
    assert result.metrics == {} and int(result.state.step) == 3


def fit(params, state):
    batch = [toy.sample(i) for i in range(40)]
    x, y = (np.stack([each[key] for each in batch]) for key in "xy")
    assert isinstance(params["kernel"], np.ndarray)
    return {"kernel": np.linalg.lstsq(x, y, rcond=None)[0]}, state


@pytest.mark.parametrize("ema", [None, lambda count: 0.5], ids=["plain", "averaged"])
def test_fit_without_steps(tmp_path, ema):
    wanted = experiment(total_steps=0, finish=fit, ema=ema)
    result = loop.run(wanted, tmp_path)
    assert result.outcome is loop.Outcome.FINISHED
    assert result.metrics["val/score"] > -1e-6
    variables, _ = read_checkpoint(tmp_path)
    np.testing.assert_allclose(variables["params"]["kernel"], toy.TRUE, rtol=1e-4)
    again = loop.run(wanted, tmp_path)
    assert again.metrics == result.metrics and equal(again.state, result.state)


def test_finish_runs_once_after_the_last_step(tmp_path):
    calls = []

    def finish(params, state):
        calls.append(params)
        return fit(params, state)

    result = loop.run(experiment(finish=finish), tmp_path)
    assert len(calls) == 1
    scores = logged(tmp_path, "val/score")
    assert scores[20] > -1e-6 > scores[10]
    assert result.metrics == {"val/score": scores[20]}


def test_run_without_a_folder_writes_nothing_and_equals_one_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bare = loop.run(experiment())
    assert list(tmp_path.iterdir()) == []
    kept = loop.run(experiment(), tmp_path / "run")
    assert bare.metrics == kept.metrics and equal(bare.state, kept.state)


class Drawn(LinearTask):
    """Predictions are drawn; the metric is what the key gives."""

    def predict(self, params, state, batch, *, key):
        return batch["y"] + jax.random.normal(key, batch["y"].shape)


def test_key_of_a_prediction_is_a_function_of_seed_and_batch_number(tmp_path):
    seen = []

    def report(evaluation):
        seen.append(evaluation.predictions - evaluation.batch["y"])
        return Report()

    result = loop.run(experiment(task=Drawn(), report=report), tmp_path)
    assert len(set(logged(tmp_path, "val/score").values())) == 1  # twice the same draw
    np.testing.assert_allclose(seen[0], jax.random.normal(prediction_key(3, 0), (8,)), atol=1e-5)
    other = loop.run(experiment(task=Drawn(), seed=4))
    assert other.metrics != result.metrics
    keys = [prediction_key(3, 0), prediction_key(3, 1), prediction_key(4, 0)]
    assert len({tuple(jax.random.key_data(key).tolist()) for key in keys}) == 3


class Truthful(LinearTask):
    """Measures against what is not an array."""

    def loss(self, params, state, batch, *, step, key):
        assert "truth" not in batch
        return super().loss(params, state, batch, step=step, key=key)

    def predict(self, params, state, batch, *, key):
        assert "truth" not in batch
        return super().predict(params, state, batch, key=key)

    def measure(self, predictions, batch):
        labels = np.array([0.0 if text is None else float(text) for text in batch["truth"]])
        error = np.square(predictions - labels)
        return toy.NegativeError.from_model_output(error, mask=batch["mask"])


def test_truth_reaches_measure_and_report_but_no_device():
    def example(index, rng):
        made = toy.sample(index)
        return {**made, "truth": repr(float(made["y"]))}

    seen = []

    def report(evaluation):
        seen.append(evaluation.batch["truth"])
        return Report()

    data = {"val": EvalSet(Stream(InOrder(11, 8), example))}
    result = loop.run(experiment(task=Truthful(), eval_data=data, report=report))
    plain = loop.run(experiment())
    np.testing.assert_allclose(result.metrics["val/score"], plain.metrics["val/score"], rtol=1e-4)
    assert seen[0][0] == repr(float(toy.sample(0)["y"]))
