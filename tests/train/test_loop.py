import dataclasses
import logging
import re
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import toy
from toy import (
    KilledError,
    LinearTask,
    Watched,
    WorseAtEveryEvaluation,
    experiment,
    killed_at,
    logged,
)

from jaxvision.tasks.task import Loss
from jaxvision.train import loop, sharding
from jaxvision.train.errors import TrainingError
from jaxvision.train.experiment import Best, Report
from jaxvision.train.plateau import Plateau
from jaxvision.train.saved import read_checkpoint, read_meta
from jaxvision.train.state import create_state
from jaxvision.train.step import make_step


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    assert loop.run(experiment(), workdir).outcome is loop.Outcome.FINISHED
    return workdir


def test_learns(straight):
    losses = logged(straight, "train/loss")
    assert losses[20] < 0.1 * losses[1]
    assert logged(straight, "val/score")[20] > -0.5


def test_records_losses_speed_rate_and_evaluations(straight):
    assert set(logged(straight, "train/loss")) == set(range(1, 21))
    assert set(logged(straight, "train/late")) == set(range(1, 21))
    assert set(logged(straight, "val/score")) == {10, 20}
    assert all(v > 0 for v in logged(straight, "train/examples_per_second").values())
    np.testing.assert_allclose(logged(straight, "train/learning_rate")[1], 0.1, rtol=1e-6)


@pytest.mark.parametrize(("stop", "workers"), [(1, 0), (7, 0), (11, 2), (13, 1), (19, 0)])
def test_stop_and_resume_equals_a_straight_run_to_the_last_bit(straight, tmp_path, stop, workers):
    with pytest.raises(KilledError):
        loop.run(killed_at(experiment(), stop), tmp_path)
    assert loop.run(experiment(num_workers=workers), tmp_path).outcome is loop.Outcome.FINISHED
    assert logged(tmp_path, "train/loss") == logged(straight, "train/loss")
    assert logged(tmp_path, "val/score") == logged(straight, "val/score")


def test_finished_run_started_again_says_so(straight, capsys):
    before = (straight / "metrics.jsonl").read_text()
    assert loop.run(experiment(), straight).outcome is loop.Outcome.FINISHED
    assert "already finished" in capsys.readouterr().out
    assert (straight / "metrics.jsonl").read_text() == before


def test_more_epochs_and_another_batch_size_continue(straight, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(straight, workdir)
    assert (
        loop.run(experiment(total_steps=24, batch_size=16), workdir).outcome
        is loop.Outcome.FINISHED
    )
    assert max(logged(workdir, "train/loss")) == 24


def test_learning_rate_that_jumps_where_a_run_continues_is_a_warning(straight, tmp_path, capsys):
    def continued(name, **changes):
        shutil.copytree(straight, tmp_path / name)
        loop.run(experiment(total_steps=22, **changes), tmp_path / name)
        return capsys.readouterr().err

    assert "jumps" not in continued("same")
    message = "warning: the learning rate jumps at step 20, from 0.0006156 to 0.05,"
    assert message in continued("other", learning_rate=lambda step: 0.05)


def test_end_says_what_was_best_and_what_comes_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = WorseAtEveryEvaluation()
    loop.run(experiment(task=task, eval_every=4, meta={"recipe": "toy"}), tmp_path / "a run")
    printed = capsys.readouterr().out
    assert f"everything goes to {tmp_path / 'a run'}" in printed
    assert re.search(r"best: val/score -[\d.]+ at step 4\n", printed)
    assert printed.endswith("next: jaxvision evaluate 'a run'\n")


def test_unreadable_checkpoint_falls_back_to_the_one_before(straight, tmp_path, caplog):
    with pytest.raises(KilledError):
        loop.run(killed_at(experiment(), 9), tmp_path)
    newest = tmp_path / "checkpoints" / "8"
    for file in (newest / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert loop.run(experiment(), tmp_path).outcome is loop.Outcome.FINISHED
    assert "checkpoint 8 cannot be read" in caplog.text
    assert (tmp_path / "checkpoints" / "8.unreadable").is_dir()
    assert logged(tmp_path, "train/loss") == logged(straight, "train/loss")


@dataclasses.dataclass(frozen=True)
class DeepTask(LinearTask):
    """Layers of one parameter each, which scale the result."""

    depth: int = 2

    def init(self, key, batch):
        params, state = super().init(key, batch)
        layers = {f"layer{i}": {"scale": jnp.ones(1)} for i in range(self.depth)}
        return params | layers, state


def test_checkpoint_of_another_depth_is_an_error_and_stays(tmp_path):
    loop.run(experiment(task=DeepTask(), total_steps=4), tmp_path)
    with pytest.raises(TrainingError) as error:
        loop.run(experiment(task=DeepTask(depth=3)), tmp_path)
    message = str(error.value)
    assert "4 is of another model or optimizer" in message
    assert "3 arrays of 5 parameters there, 4 arrays of 6 parameters now" in message
    assert "  params/layer2/scale: none there, (1,) now" in message
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"4"}


def test_checkpoint_of_another_optimizer_is_an_error(tmp_path):
    loop.run(experiment(total_steps=4), tmp_path)
    with pytest.raises(TrainingError, match="  opt_state/0/mu/kernel: none there, .3,. now"):
        loop.run(experiment(optimizer=optax.adam(0.1)), tmp_path)


def test_signal_stops_after_the_step_with_a_checkpoint(straight, tmp_path, capsys):
    def interrupt(batch, i):
        if i == 5:
            signal.raise_signal(signal.SIGTERM)

    data = Watched(experiment().train_data, interrupt)
    assert loop.run(experiment(train_data=data), tmp_path).outcome is loop.Outcome.INTERRUPTED
    assert "stopped after step 6, which is saved" in capsys.readouterr().out
    assert (tmp_path / "checkpoints" / "6").is_dir()
    loop.run(experiment(), tmp_path)
    assert logged(tmp_path, "train/loss") == logged(straight, "train/loss")


def test_keeps_the_newest_and_the_best(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class WorseLater(LinearTask):
        def loss(self, params, state, batch, *, step, key):
            loss = super().loss(params, state, batch, step=step, key=key)
            return loss._replace(value=jnp.where(step >= 10, -30.0, 1.0) * loss.value)

    loop.run(experiment(task=WorseLater()), tmp_path)
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert {"10", "16", "20"} <= kept
    assert not {"4", "8"} & kept


def test_lower_is_better_where_the_direction_says_so(tmp_path):
    best = Best("val/score", "min")
    loop.run(experiment(best=best, eval_every=4, task=LinearTask(0.0)), tmp_path)
    scores = logged(tmp_path, "val/score")
    assert scores[4] == min(scores.values())
    kept = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert "4" in kept and "8" not in kept
    assert read_meta(tmp_path)[0] == 4


def test_meta_is_in_every_checkpoint(tmp_path):
    meta = {"recipe": "toy", "config": {"a": 1}, "info": {"names": ["x"]}, "versions": {}}
    loop.run(experiment(total_steps=4, meta=meta), tmp_path)
    _, read = read_checkpoint(tmp_path)
    assert meta.items() <= read.items()
    assert read_meta(tmp_path) == (4, read)


def test_loss_that_is_nan_stops_the_run_and_names_the_examples(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Breaks(LinearTask):
        def loss(self, params, state, batch, *, step, key):
            loss = super().loss(params, state, batch, step=step, key=key)
            return Loss(jnp.where(step == 6, jnp.nan, loss.value), loss.state, loss.logs)

    with pytest.raises(TrainingError) as error:
        loop.run(experiment(task=Breaks()), tmp_path)
    batch = next(experiment().train_data.batches(6))
    assert "step 7: expected a finite loss and gradient, got loss = nan" in str(error.value)
    for index in batch["index"]:
        assert f"number {index}\n" in str(error.value)
    # What is saved came before.
    assert {int(p.name) for p in (tmp_path / "checkpoints").iterdir()} == {4}


def test_compiles_once(tmp_path):
    made = []

    def counting(task, optimizer, ema):
        inner = make_step(task, optimizer, ema)

        def step(state, batch, key):
            made.append(jax.tree.map(jnp.shape, batch))
            return inner(state, batch, key)

        return step

    loop.run(experiment(make_step=counting), tmp_path)
    assert len(made) == 1


def test_each_shape_of_batch_is_compiled_once_and_announced(tmp_path, capsys):
    def sample_at(step):
        def sample(index, rng):
            return {**toy.sample(index, rng), "extra": np.zeros(step // 4 % 3 + 4, np.float32)}

        return sample

    stream = toy.train_stream(num_workers=2, schedule=sample_at)
    loop.run(experiment(train_data=stream), tmp_path)
    lines = [line for line in capsys.readouterr().err.splitlines() if "compiling" in line]
    assert [line.split("extra ")[1] for line in lines] == ["[8, 4]", "[8, 5]", "[8, 6]"]
    assert len(logged(tmp_path, "train/loss")) == 20


def test_shows_what_an_epoch_skipped(tmp_path, capsys):
    reports = iter(["two images skipped", "", "one image skipped", ""])
    data = Watched(experiment().train_data, lambda batch, i: None)
    data.faults = lambda: next(reports)
    loop.run(experiment(train_data=data), tmp_path)
    shown = [line for line in capsys.readouterr().err.splitlines() if "skipped" in line]
    # 40 examples in batches of 8 are 5 steps per epoch.
    assert shown == ["step 5  two images skipped", "step 15  one image skipped"]


def test_report_shows_lines_below_the_metrics_and_keeps_pictures(tmp_path, capsys):
    seen = []

    def report(evaluation):
        seen.append(evaluation)
        y, got = evaluation.batch["y"][0], evaluation.predictions[0]
        picture = np.zeros((4, 5, 3), np.uint8)
        return Report([f"  target {y:.3f}", f"  got {got:.3f}"], {"curve": picture})

    loop.run(experiment(total_steps=10, report=report), tmp_path)
    lines = capsys.readouterr().err.splitlines()
    (place,) = [i for i, line in enumerate(lines) if "target" in line]
    assert lines[place - 1].startswith("step 10  val: score ")
    target, got = (float(lines[i].split()[1]) for i in (place, place + 1))
    assert target == pytest.approx(toy.sample(0)["y"], abs=1e-3)
    assert got != 0
    assert (tmp_path / "plots" / "val_curve_00000010.png").is_file()
    (evaluation,) = seen
    assert (evaluation.name, evaluation.step) == ("val", 10)
    assert evaluation.metric.compute()["score"] == logged(tmp_path, "val/score")[10]


def test_eight_devices_equal_one():
    plain = experiment()
    batches = plain.train_data.batches(0)
    first = next(batches)
    losses = {}
    for devices in (1, 8):
        mesh = sharding.data_mesh(devices)
        state = create_state(plain, first, mesh)
        assert jax.tree.leaves(state)[0].sharding.num_devices == devices
        step = jax.jit(make_step(plain.task, plain.optimizer, plain.ema), donate_argnums=0)
        key = jax.device_put(jax.random.key(0), sharding.replicated(mesh))
        values = []
        for batch in (first, next(plain.train_data.batches(1))):
            state, logs = step(state, sharding.put_batch(batch, mesh), key)
            values.append(float(logs["loss"]))
        losses[devices] = values
    np.testing.assert_allclose(losses[8], losses[1], rtol=1e-5)


def test_batch_that_the_devices_cannot_share_is_an_error():
    batch = next(experiment(batch_size=6).train_data.batches(0))
    with pytest.raises(ValueError, match="multiple of the number of devices, 8, got 6 .x."):
        sharding.put_batch(batch, sharding.data_mesh())


def patient(**changes):
    fields = dict(task=WorseAtEveryEvaluation(0.0), eval_every=2, ema=None, patience=3)
    return experiment(**(fields | changes))


def test_run_that_gets_no_better_ends_early_and_stays_ended(tmp_path, capsys):
    assert loop.run(patient(), tmp_path).outcome is loop.Outcome.FINISHED
    # 6 is the best; 8, 10 and 12 are not better.
    assert "stopped early after step 12: 3 evaluations without a better" in capsys.readouterr().err
    assert max(logged(tmp_path, "train/loss")) == 12
    assert (tmp_path / "checkpoints" / "12").is_dir()
    assert loop.run(patient(), tmp_path).outcome is loop.Outcome.FINISHED
    assert "already finished" in capsys.readouterr().out
    assert max(logged(tmp_path, "train/loss")) == 12
    assert loop.run(patient(patience=4), tmp_path).outcome is loop.Outcome.FINISHED
    assert max(logged(tmp_path, "train/loss")) == 14


def test_resumed_run_remembers_its_patience(tmp_path):
    with pytest.raises(KilledError):
        loop.run(killed_at(patient(), 11), tmp_path)
    loop.run(patient(), tmp_path)
    assert max(logged(tmp_path, "train/loss")) == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(patience=2, best=None), "patience must be at least 1, and best name a metric"),
        (dict(plateau=Plateau(2), best=None), "plateau needs a metric to watch"),
        (dict(best=Best("score")), "best must name a metric of a set .* as val/..., got score"),
        (dict(best=Best("val/score", "low")), "direction must be max or min, got low"),
        (dict(meta={"info": {1, 2}}), "meta must be JSON, which it is not: .* set is not"),
        (dict(total_steps=-1), "total_steps must be at least 0, got -1"),
        (dict(save_minutes=float("nan")), "save_minutes must be at least 0, got nan"),
        (dict(non_finite="drop"), "non_finite must be stop or skip, got drop"),
        (dict(spike=0.5), "spike must be above 1, got 0.5"),
        (dict(accumulate=0), "accumulate must be at least 1, got 0"),
        (dict(freeze="kernel"), "freeze must be a tuple of patterns, got 'kernel'"),
        (dict(collections={"seen": "rest"}), "one of average, copy, rows, got 'rest'"),
        (dict(eval_data={"train": None}, best=None), "must not be named train"),
        (
            dict(make_step=make_step, accumulate=2, freeze=("kernel",)),
            "would ignore accumulate, freeze;",
        ),
    ],
)
def test_fields_that_do_not_fit_together_are_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        experiment(**changes)


def test_best_that_no_evaluation_gives_is_an_error_before_the_first_step(tmp_path):
    with pytest.raises(ValueError, match="best must be one of val/score, got val/scores"):
        loop.run(experiment(best=Best("val/scores")), tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists()
