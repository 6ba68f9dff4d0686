import json

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from jaxvision.recipes import classification, detection, translation, values, wiring


def rates(config, steps, **options):
    rate = wiring.learning_rate(config, epoch=10, **options)
    return [float(rate(step)) for step in steps]


def config(**groups):
    """Ten epochs, of ten steps each in these tests."""
    config = classification.defaults()
    config.epochs = 10
    for name, changes in groups.items():
        config[name].update(changes)
    return config


@pytest.mark.parametrize(
    "warmup", [dict(warmup=0.2), dict(warmup_epochs=2.0), dict(warmup_steps=20)]
)
def test_warmup_is_a_share_or_epochs_or_steps(warmup):
    found = rates(
        config(optimizer=dict(learning_rate=1.0), schedule=dict(name="constant", **warmup)),
        (0, 9, 19, 20, 99),
    )
    np.testing.assert_allclose(found, [0.05, 0.5, 1.0, 1.0, 1.0], rtol=1e-6)


def test_two_lengths_of_a_warmup_are_an_error():
    with pytest.raises(
        ValueError, match=r"one of .* got schedule.warmup=0.1, schedule.warmup_steps=5"
    ):
        rates(config(schedule=dict(warmup=0.1, warmup_steps=5)), ())


def test_learning_rate_of_a_base_batch_is_in_proportion():
    constant = config(
        optimizer=dict(learning_rate=0.64, base_batch=64), schedule=dict(name="constant")
    )
    assert rates(constant, (0,), batch_size=16) == pytest.approx([0.16])
    constant.optimizer.base_batch = 0
    assert rates(constant, (0,), batch_size=16) == pytest.approx([0.64])


def test_each_value_of_a_schedule_reaches_it():
    step = config(
        optimizer=dict(learning_rate=1.0),
        schedule=dict(name="step", boundaries=(0.2, 0.6), factor=0.5),
    )
    np.testing.assert_allclose(rates(step, (19, 20, 59, 60)), [1, 0.5, 0.5, 0.25], rtol=1e-6)
    exponential = config(
        optimizer=dict(learning_rate=1.0),
        schedule=dict(name="exponential", period_epochs=2.0, factor=0.5),
    )
    np.testing.assert_allclose(rates(exponential, (19, 20, 40)), [1, 0.5, 0.25], rtol=1e-6)
    polynomial = config(
        optimizer=dict(learning_rate=1.0),
        schedule=dict(name="polynomial", power=2.0, final_ratio=0.2),
    )
    np.testing.assert_allclose(rates(polynomial, (50, 100)), [0.4, 0.2], rtol=1e-5)
    cycle = config(optimizer=dict(learning_rate=1.0), schedule=dict(name="one_cycle", rise=0.5))
    assert rates(cycle, (50,)) == pytest.approx([1.0])


def test_schedules_of_papers():
    noam = translation.defaults()
    noam.schedule.warmup_steps = 4
    noam.optimizer.learning_rate = 2.0
    # 2 * 16^-0.5 * min(n^-0.5, n * 4^-1.5), n from 1.
    assert rates(noam, (0, 3, 15), features=16) == pytest.approx([0.0625, 0.25, 0.125])
    yolox = detection.defaults()
    yolox.epochs = 10
    yolox.schedule.warmup = 0.1
    found = rates(yolox, (0, 5, 10, 99), batch_size=64, final_steps=20)
    np.testing.assert_allclose(found, [0.0, 0.0025, 0.01, 0.0005], rtol=1e-5)


def test_noam_needs_a_transformer():
    with pytest.raises(ValueError, match="schedule must be one of .*, got noam"):
        rates(config(schedule=dict(name="noam")), ())


def test_optimizer_takes_every_value_of_its_group():
    import optax

    updated = config(
        optimizer=dict(name="sgd", learning_rate=1.0, clip_value=0.5, weight_decay=0.1)
    )
    updated.optimizer.groups = (("head/.*", 10.0, 0.0),)
    optimizer = wiring.optimizer(updated, optax.constant_schedule(1.0))
    params = {name: {"kernel": jnp.ones((1, 1))} for name in ("body", "head")}
    gradients = {name: {"kernel": jnp.full((1, 1), 9.0)} for name in params}
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    # Clipped to 0.5; the body decays, the head has ten times the rate and no decay.
    assert float(updates["body"]["kernel"][0, 0]) == pytest.approx(-0.6)
    assert float(updates["head"]["kernel"][0, 0]) == pytest.approx(-5.0)


def test_averages():
    def decay(n, **ema):
        average = wiring.average(config(ema=ema), 100)
        return None if average is None else float(average(jnp.int32(n)))

    assert decay(1) is None
    assert decay(7, decay=0.9, warmup=0.0) == pytest.approx(0.9)
    assert decay(10, decay=0.9, warmup=10.0) == pytest.approx(0.9 * (1 - np.exp(-1)), rel=1e-5)
    assert [decay(n, tail=0.25) for n in (75, 76)] == [0.0, 0.5]
    for ema, words in [
        (dict(decay=1.0), r"ema.decay must be in \[0, 1\), got 1.0"),
        (dict(tail=-0.1), r"ema.tail must be in \[0, 1\), got -0.1"),
        (dict(decay=0.9, tail=0.1), "one of ema.decay and ema.tail may be above 0"),
        (dict(decay=0.9, warmup=-1.0), "ema.warmup must be at least 0, got -1.0"),
    ]:
        with pytest.raises(ValueError, match=words):
            decay(1, **ema)


def test_run_options():
    several = config()
    several.update(
        seed=3, patience=4, accumulate=2, freeze="backbone/.* head/bias", sharding="fsdp"
    )
    several.plateau.update(patience=5, factor=0.5)
    options = wiring.run_options(several, 10)
    assert (options["total_steps"], options["seed"], options["accumulate"]) == (100, 3, 2)
    assert options["freeze"] == ("backbone/.*", "head/bias")
    assert (options["patience"], options["plateau"].patience) == (4, 5)
    assert options["plateau"].factor == 0.5
    assert options["state_sharding"].__name__ == "fsdp_state"
    none = wiring.run_options(config(), 10)
    assert (none["patience"], none["plateau"], none["freeze"], none["ema"]) == (
        None,
        None,
        (),
        None,
    )


def test_periods():
    def periods(epoch, **changes):
        changed = config()
        changed.eval.epochs = changes.pop("epochs", 1.0)
        changed.update(changes)
        options = wiring.run_options(changed, epoch)
        return options["eval_every"], options["save_every"]

    assert periods(200) == (200, 200)
    assert periods(30) == (30, 100), "not every few seconds"
    assert periods(30, epochs=0.5) == (15, 100)
    assert periods(30, epochs=50) == (300, 100), "once, at the end"
    assert periods(30, epochs=0.001) == (1, 100)
    assert periods(30, eval_every=7, save_every=9) == (7, 9)
    with pytest.raises(ValueError, match="eval.epochs must be above 0, got 0"):
        periods(30, epochs=0)
    with pytest.raises(ValueError, match="save_every must be at least 0, got -1"):
        periods(30, save_every=-1)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        changed = config()
        changed.epochs = 0
        wiring.run_options(changed, 30)


def test_rules_for_faults_are_named_by_their_value():
    assert wiring.on_fault(config(), "on_fault").__name__ == "stop"
    assert wiring.on_fault(config(data=dict(on_fault="drop")), "on_fault").__name__ == "drop"
    with pytest.raises(ValueError, match="data.on_fault must be error or drop, got skip"):
        wiring.on_fault(config(data=dict(on_fault="skip")), "on_fault")


def test_weights_are_read_at_once_or_when_they_are_needed(tmp_path):
    weights = config()
    assert wiring.init_from(weights, "resnet18", now=True) == ()
    weights.weights = str(tmp_path / "none.npz")
    (source,) = wiring.init_from(weights, "resnet18", part="backbone", now=False)
    assert (source.there, source.here, source.strict) == ("backbone", "backbone", False)
    with pytest.raises((OSError, ValueError), match=r"none\.npz"):
        wiring.init_from(weights, "resnet18", now=True)


@pytest.mark.parametrize("recipe", [classification, detection, translation])
def test_meta_is_json_and_restores_the_config(recipe):
    defaults = recipe.defaults()
    meta = wiring.meta(recipe.__name__, defaults, {"class_names": ["a"]})
    assert meta["recipe"] == recipe.__name__.split(".")[-1]
    assert set(meta) == {"recipe", "config", "info", "versions"}
    assert json.loads(json.dumps(meta)) == meta
    restored = values.restored(meta["config"])
    assert restored.is_locked
    assert wiring.meta(recipe.__name__, restored, {})["config"] == meta["config"]


@pytest.mark.parametrize("recipe", [classification, detection, translation])
def test_free_values_exist(recipe):
    defaults = recipe.defaults()
    for name in recipe.FREE:
        node = defaults
        for part in name.split("."):
            assert part in node, name
            node = node[part]
        assert not isinstance(node, ConfigDict)


@pytest.mark.parametrize("recipe", [classification, detection, translation])
def test_defaults_take_no_unknown_name(recipe):
    with pytest.raises(AttributeError, match='Did you mean "epochs"'):
        recipe.defaults().epoch = 3
    with pytest.raises(KeyError, match="lr"):
        recipe.defaults().optimizer.update(lr=1)


def test_part_that_a_run_has_in_common_is_filled(monkeypatch):
    monkeypatch.setattr(wiring.weights, "read_weights", lambda given, name: {"params": {}})
    updated = detection.defaults()
    updated.update(backbone="resnet18", weights="runs/shapes")
    for own, part in (("", ""), ("backbone", "backbone"), (None, "backbone")):
        monkeypatch.setattr(wiring.weights, "part_of_run", lambda given, config, x=own: x)
        (found,) = wiring.init_from(updated, "resnet18", part="backbone", now=True)
        assert (found.there, found.here) == (part, part)
        assert found.label == "the weights runs/shapes"
