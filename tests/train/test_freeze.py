import jax
import numpy as np
import optax
import pytest
from toy import Network, NormedTask, equal, experiment

from jaxvision.train import loop, sharding
from jaxvision.train.ema import constant_decay
from jaxvision.train.names import matching
from jaxvision.train.optim import optimizer
from jaxvision.train.overview import parameter_table
from jaxvision.train.saved import read_checkpoint
from jaxvision.train.state import create_state
from jaxvision.train.step import make_step


def normed(task=None, **changes):
    adamw = optimizer("adamw", 0.05, weight_decay=0.1, clip_norm=1.0)
    # A decay with which what does not change is rounded to another number.
    fields = dict(
        task=task or NormedTask(), optimizer=adamw, total_steps=6, ema=constant_decay(0.33)
    )
    return experiment(**(fields | changes))


def fresh(wanted):
    return create_state(wanted, next(wanted.train_data.batches(0)), sharding.data_mesh())


TASKS = [
    (NormedTask(), "backbone"),
    # The paths of modules do not begin as the names of the parameters do.
    (NormedTask(prefix="model"), "model/backbone"),
    # The modules see other arrays than the task.
    (NormedTask(network=Network(remat=True)), "backbone"),
    (NormedTask(network=Network(remat=True), prefix="model"), "model/backbone"),
]


@pytest.mark.parametrize(("task", "part"), TASKS, ids=["plain", "prefix", "remat", "both"])
def test_frozen_part_keeps_parameters_and_statistics_bit_by_bit(task, part):
    wanted = normed(task, freeze=(f"{part}/.*",))
    before = fresh(wanted)
    after = loop.run(wanted).state
    collections = (
        (before.params, after.params),
        (before.model_state["batch_stats"], after.model_state["batch_stats"]),
        (before.ema.params, after.ema.params),
        (before.ema.model_state["batch_stats"], after.ema.model_state["batch_stats"]),
    )
    for old, new in collections:
        if task.prefix:
            old, new = old[task.prefix], new[task.prefix]
        assert equal(old["backbone"], new["backbone"])
        # The rest moves, its statistics too.
        assert not equal(old["head"]["norm"], new["head"]["norm"])


@pytest.mark.parametrize(("task", "part"), TASKS, ids=["plain", "prefix", "remat", "both"])
def test_frozen_normalisation_uses_its_running_statistics(task, part):
    wanted = normed(task, freeze=(f"{part}/.*", ".*head/.*kernel"), ema=None)
    state = fresh(wanted)
    # Statistics that no batch has.
    stats = jax.tree.map(lambda x: x + 2.0, state.model_state["batch_stats"])
    state = state.replace(model_state={"batch_stats": stats})
    batch = next(wanted.train_data.batches(0))
    step = make_step(wanted.task, wanted.optimizer, None, freeze=wanted.freeze)
    _, logs = step(state, batch, jax.random.key(0))

    params, stats = jax.device_get((state.params, stats))
    if task.prefix:
        params, stats = params[task.prefix], stats[task.prefix]
    x = batch["x"]
    for name in ("backbone", "head"):
        dense, norm = params[name]["dense"], params[name]["norm"]
        x = x @ dense["kernel"] + dense["bias"]
        mean, var = stats[name]["norm"]["mean"], stats[name]["norm"]["var"]
        if name == "head":
            mean, var = x.mean(0), x.var(0)
        x = (x - mean) / np.sqrt(var + 1e-5) * norm["scale"] + norm["bias"]
    expected = np.square(x.sum(-1) - batch["y"]).mean()
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-4)


def test_frozen_parameters_have_no_gradient_and_no_optimizer_state():
    wanted = normed(freeze=("backbone/.*",), ema=None)
    state = fresh(wanted)
    moments = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(state.opt_state)
    ]
    assert any("head" in name for name in moments)
    assert not any("backbone" in name for name in moments)
    batch = next(wanted.train_data.batches(0))

    def operations(freeze):
        made = make_step(wanted.task, wanted.optimizer, None, freeze=freeze)
        held = state if freeze else fresh(normed(ema=None))
        lowered = jax.jit(made).lower(held, batch, jax.random.key(0))
        return lowered.compile().cost_analysis()["flops"]

    assert operations(("backbone/.*",)) < 0.7 * operations(())


def test_accumulated_gradients_of_a_frozen_model_are_those_of_the_trained_part():
    wanted = normed(freeze=(".*norm/.*", "backbone/.*"), ema=None)
    state = fresh(wanted)
    batch = next(wanted.train_data.batches(0))
    found = [
        make_step(wanted.task, optax.sgd(0.1), None, freeze=wanted.freeze, accumulate=count)(
            state.replace(opt_state=optax.sgd(0.1).init(None)), batch, jax.random.key(0)
        )[0]
        for count in (1, 4)
    ]
    one, two = (x.params["head"]["dense"]["kernel"] for x in found)
    np.testing.assert_allclose(one, two, rtol=1e-4)
    assert not equal(one, state.params["head"]["dense"]["kernel"])


def test_models_of_one_name_that_the_arrays_do_not_tell_apart_are_an_error():
    class Twins(NormedTask):
        def init(self, key, batch):
            params, state = super().init(key, batch)
            twice = {"one": params, "two": params}
            return twice, {"batch_stats": {k: state["batch_stats"] for k in twice}}

        def loss(self, params, state, batch, *, step, key):
            variables = {"params": params["one"], "batch_stats": state["batch_stats"]["one"]}
            self.network.apply(variables, batch["x"], train=True, mutable=["batch_stats"])
            raise AssertionError("the network was called")

    wanted = normed(Twins(network=Network(remat=True)), freeze=("one/.*",))
    step = make_step(wanted.task, wanted.optimizer, None, freeze=wanted.freeze)
    batch = next(wanted.train_data.batches(0))
    with pytest.raises(ValueError, match="named backbone/norm are frozen in one model and not in"):
        step(fresh(wanted), batch, jax.random.key(0))
    # Where nothing replaces them, the arrays do.
    wanted = normed(Twins(), freeze=("one/.*",))
    step = make_step(wanted.task, wanted.optimizer, None, freeze=wanted.freeze)
    with pytest.raises(AssertionError, match="the network was called"):
        step(fresh(wanted), batch, jax.random.key(0))


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("backbon/.*",), "freeze: 'backbon/..' matches no parameter.*did you mean backbone/..?"),
        (("backbone",), "'backbone' matches no parameter, whole names as a/b/kernel count"),
        (("(",), "freeze: '.' is not a regular expression"),
        ((".*",), "freeze leaves no parameter to train"),
    ],
)
def test_patterns_that_cannot_be_meant_are_errors(patterns, message):
    with pytest.raises(ValueError, match=message):
        fresh(normed(freeze=patterns))


def test_patterns_match_whole_names():
    params = {"a": {"kernel": 1}, "b": {"a": {"kernel": 2}}}
    assert matching(params, ["a/.*"], "freeze") == {
        "a": {"kernel": True},
        "b": {"a": {"kernel": False}},
    }


def test_frozen_values_are_counted_and_all_are_saved(tmp_path):
    wanted = normed(freeze=("backbone/.*",), total_steps=2)
    state = loop.run(wanted, tmp_path).state
    assert parameter_table(state.params, wanted.freeze).splitlines()[-1].split() == ["frozen", "24"]
    variables, _ = read_checkpoint(tmp_path)
    assert equal(variables["params"], jax.device_get(state.ema.params))
