import numpy as np
import optax
import pytest
from toy import (
    KilledError,
    LinearTask,
    WorseAtEveryEvaluation,
    equal,
    experiment,
    killed_at,
    logged,
)

from jaxvision.train import loop
from jaxvision.train.experiment import Best
from jaxvision.train.plateau import Plateau, PlateauState


def scales(plateau, values):
    state, found = PlateauState.initial(), []
    for value in values:
        state = plateau.update(state, value)
        found.append(float(state.scale))
    return found


def test_rate_falls_after_evaluations_without_a_better_value():
    plateau = Plateau(patience=2, factor=0.5)
    assert scales(plateau, [1, 2, 2, 1, 2, 3, 3, 3]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_better_is_by_a_share_of_the_best_also_below_zero():
    plateau = Plateau(patience=1, factor=0.5, tolerance=0.1)
    assert scales(plateau, [10.0, 10.9, 11.1]) == [1, 0.5, 0.5]
    assert scales(plateau, [-10.0, -9.1, -8.9]) == [1, 0.5, 0.5]


def test_nan_is_not_better_and_the_rate_has_a_floor():
    plateau = Plateau(patience=1, factor=0.5, least=0.3)
    assert scales(plateau, [float("nan"), float("nan"), 1.0]) == pytest.approx([0.5, 0.3, 0.3])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(patience=0), "Plateau.patience must be at least 1, got 0"),
        (dict(patience=1, factor=1.0), r"Plateau.factor must be in \(0, 1\), got 1.0"),
        (dict(patience=1, least=-1.0), "Plateau.least must be at least 0"),
    ],
)
def test_wrong_numbers(fields, message):
    with pytest.raises(ValueError, match=message):
        Plateau(**fields)


def worse(**changes):
    """The score rises until step 6 and falls from then on; the loss falls all the time."""
    fields = dict(
        task=WorseAtEveryEvaluation(0.0),
        optimizer=optax.sgd(0.01),
        learning_rate=lambda step: 0.01,
        ema=None,
        eval_every=2,
        total_steps=12,
        plateau=Plateau(patience=2, factor=0.5),
    )
    return experiment(**(fields | changes))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    return workdir, loop.run(worse(), workdir).state


def test_it_is_the_validation_metric_that_is_watched(straight):
    workdir, state = straight
    # 6 is the best; 8 and 10 are not better, nor is 12, the first of a new count.
    assert logged(workdir, "train/plateau_scale") == {n: 0.5 if n > 10 else 1 for n in range(1, 13)}
    rates = logged(workdir, "train/learning_rate")
    assert (rates[10], rates[11]) == (0.01, 0.005)
    assert int(state.plateau.since) == 1


def test_updates_are_scaled(straight):
    _, state = straight
    plain = loop.run(worse(plateau=None)).state
    ten = loop.run(worse(plateau=None, total_steps=10)).state
    eleven = loop.run(worse(plateau=None, total_steps=11)).state
    halved = loop.run(worse(total_steps=11)).state
    before, whole, half = (np.asarray(x.params["kernel"]) for x in (ten, eleven, halved))
    np.testing.assert_allclose(half - before, (whole - before) / 2, rtol=1e-3)
    assert (plain.params["kernel"] != state.params["kernel"]).any()


@pytest.mark.parametrize("stop", [9, 11])
def test_stop_and_resume_equals_a_straight_run_to_the_last_bit(straight, tmp_path, stop):
    workdir, state = straight
    with pytest.raises(KilledError):
        loop.run(killed_at(worse(), stop), tmp_path)
    (tmp_path / "metrics.jsonl").unlink()  # what it needs is in the checkpoint
    resumed = loop.run(worse(), tmp_path).state
    assert equal(resumed, state)


def test_lower_is_better_where_the_direction_says_so(tmp_path):
    # The score of a run that learns rises, which is worse.
    best = Best("val/score", "min")
    loop.run(worse(task=LinearTask(0.0), best=best), tmp_path)
    assert logged(tmp_path, "train/plateau_scale")[7] == 0.5
