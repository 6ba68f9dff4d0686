"""Where the state lies, over eight simulated devices."""

import dataclasses
import json
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from network import filled
from toy import LinearTask, experiment

from jaxvision import models
from jaxvision.tasks.classification import ImageClassification
from jaxvision.tasks.task import Loss
from jaxvision.train import loop, sharding
from jaxvision.train.compiled import CompiledStep
from jaxvision.train.ema import constant_decay
from jaxvision.train.optim import optimizer
from jaxvision.train.sharding import fsdp_state, replicated_state
from jaxvision.train.state import Average, TrainState, create_state
from jaxvision.train.step import make_step

RULES = pytest.mark.parametrize("rule", [replicated_state, fsdp_state])


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((1024, 512), P("data")),
        ((512, 1024), P(None, "data")),
        ((3, 3, 256, 512), P(None, None, None, "data")),
        ((512, 512), P("data")),  # the first of two that are equally long
        ((1001, 64), P(None, "data")),  # eight devices do not divide the longest
        ((1001, 37), P()),
        ((4096,), P("data")),
        ((4088,), P()),  # too small to be worth a message
        ((), P()),
    ],
)
def test_longest_axis_that_the_devices_divide_is_cut(shape, spec):
    mesh = sharding.data_mesh(8)
    found = fsdp_state(mesh, {"x": jax.ShapeDtypeStruct(shape, jnp.float32)})
    assert found["x"].spec == spec
    whole = replicated_state(mesh, {"x": jax.ShapeDtypeStruct(shape, jnp.float32)})
    assert whole["x"].is_fully_replicated


def test_rules_go_by_name():
    assert sharding.state_sharding("fsdp") is fsdp_state
    assert sharding.state_sharding("replicated") is replicated_state
    with pytest.raises(ValueError, match="sharding must be one of replicated, fsdp, got zero"):
        sharding.state_sharding("zero")


@dataclasses.dataclass(frozen=True)
class WideTask(LinearTask):
    """A perceptron with kernels that are worth cutting."""

    def init(self, key, batch):
        keys = jax.random.split(key)
        params = {
            "expand": {"kernel": jax.random.normal(keys[0], (batch["x"].shape[1], 2048))},
            "project": {"kernel": jax.random.normal(keys[1], (2048, 8)) / 2048},
        }
        return params, {"seen": {"count": jnp.zeros(())}}

    def predict(self, params, state, batch, *, key):
        x = jnp.tanh(batch["x"] @ params["expand"]["kernel"])
        return (x @ params["project"]["kernel"]).sum(axis=1)

    def loss(self, params, state, batch, *, step, key):
        value = jnp.square(self.predict(params, state, batch, key=key) - batch["y"]).mean()
        return Loss(value, {"seen": {"count": state["seen"]["count"] + len(batch["y"])}}, {})


def wide(rule, **changes):
    fields = dict(
        task=WideTask(),
        optimizer=optimizer("adamw", 1e-2),
        total_steps=8,
        save_every=100,
        eval_every=100,
        state_sharding=rule,
    )
    return experiment(**(fields | changes))


def losses(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [line["train/loss"] for line in found if "train/loss" in line]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    loop.run(wide(replicated_state), workdir)
    return losses(workdir)


@pytest.mark.parametrize(
    ("first", "second", "devices"),
    [
        (replicated_state, fsdp_state, 8),
        (fsdp_state, fsdp_state, 2),
        (fsdp_state, replicated_state, 1),
    ],
)
def test_run_is_continued_with_its_state_placed_otherwise(
    straight, tmp_path, monkeypatch, first, second, devices
):
    loop.run(wide(first, total_steps=4), tmp_path)
    mesh = sharding.data_mesh(devices)
    monkeypatch.setattr(sharding, "data_mesh", lambda: mesh)
    loop.run(wide(second), tmp_path)
    np.testing.assert_allclose(losses(tmp_path), straight, rtol=1e-5)


@RULES
def test_step_and_evaluation_are_compiled_once(tmp_path, caplog, rule):
    jax.config.update("jax_log_compiles", True)  # in the thread that compiles the step, too
    try:
        with caplog.at_level(logging.WARNING):
            loop.run(wide(rule, eval_every=2, total_steps=6), tmp_path)
    finally:
        jax.config.update("jax_log_compiles", False)
    for name in ("step", "predict"):
        finished = [r for r in caplog.messages if f"Finished XLA compilation of jit({name})" in r]
        assert len(finished) == 1, name
    # Nor does each share of each small array become a program when it is saved.
    assert not [message for message in caplog.messages if "jit(slice)" in message]


@RULES
def test_run_that_starts_from_weights_has_them_where_the_rule_says(rule):
    wanted = wide(rule)
    mesh = sharding.data_mesh(8)
    state = create_state(wanted, next(wanted.train_data.batches(0)), mesh)
    started = state.with_variables(
        jax.tree.map(lambda x: np.full(x.shape, 2.0, np.float32), state.variables)
    )
    assert started.ema.params["expand"]["kernel"].min() == 2
    placed = jax.tree.map(lambda x: x.sharding, started)
    assert placed == jax.tree.map(lambda x: x.sharding, state)
    assert placed == rule(mesh, state)


def bytes_of(tree, device=None):
    arrays = jax.tree.leaves(tree)
    if device is None:
        return sum(x.nbytes for x in arrays)
    return sum(x.addressable_shards[device].data.nbytes for x in arrays)


def test_eight_devices_with_an_eighth_each_equal_one(monkeypatch):
    # Without LLVM's optimisation a program compiles in a fraction of the time.
    compiled, compile = [], jax.stages.Lowered.compile

    def quickly(lowered):
        compiled.append(compile(lowered, {"xla_backend_optimization_level": 0}))
        return compiled[-1]

    monkeypatch.setattr(jax.stages.Lowered, "compile", quickly)
    classes = 100
    task = ImageClassification(
        models.classifier(
            "vit_ti_16", num_classes=classes, image_size=16, patch=4, width=128, depth=2, heads=2
        ),
        tuple(map(str, range(classes))),
        label_smoothing=0.1,
    )
    adamw = optimizer("adamw", 1e-3, weight_decay=0.05, clip_norm=1.0)
    rng = np.random.default_rng(0)
    batches = [
        {
            "image": rng.integers(0, 256, (64, 16, 16, 3), np.uint8),
            "label": rng.integers(0, classes, 64).astype(np.int32),
        }
        for _ in range(3)
    ]
    params, model_state = filled(jax.eval_shape(lambda: task.init(jax.random.key(0), batches[0])))
    found = {}
    for devices, rule in ((1, replicated_state), (8, fsdp_state)):
        mesh = sharding.data_mesh(devices)
        state = TrainState(
            np.zeros((), np.int32),
            params,
            model_state,
            jax.tree.map(np.asarray, adamw.init(params)),
            Average(params, model_state),
        )
        state = jax.device_put(state, rule(mesh, state))
        key = jax.device_put(jax.random.key(0), sharding.replicated(mesh))
        step = CompiledStep(make_step(task, adamw, constant_decay(0.9)), mesh)
        found[devices] = []
        for batch in batches:
            batch = sharding.put_batch(batch, mesh)
            step.prepare(state, batch, key)
            state, logs = step(state, batch, key)
            found[devices].append(float(logs["loss"]))
    np.testing.assert_allclose(found[8], found[1], rtol=1e-5)
    assert found[1][0] != found[1][2]
    for part in (state.params, state.opt_state, state.ema, state):
        for device in range(8):
            assert bytes_of(part, device) <= bytes_of(part) / 7
    # Parameters are put together where they are used; no device sees tokens of the whole batch.
    assert len(compiled) == 2
    text = compiled[-1].as_text()
    assert "all-gather" in text
    assert "f32[64,17,128]" not in text


def test_batch_is_cut_along_the_axis_of_each_array_and_truth_stays_on_the_host():
    axes = {"x": 1, "graph": None}
    batch = {
        "x": np.zeros((3, 8)),
        "graph": np.zeros((5, 2)),
        "y": np.zeros(8),
        "truth": ["a", None],
    }
    placed = sharding.put_batch(batch, sharding.data_mesh(8), lambda key: axes.get(key, 0))
    assert {key: value.sharding.spec for key, value in placed.items()} == {
        "x": P(None, "data"),
        "graph": P(),
        "y": P("data"),
    }


def test_array_without_the_axis_of_examples_is_an_error():
    with pytest.raises(ValueError, match="scale has no axis 0 .* must be None for a copy on each"):
        sharding.put_batch({"scale": np.float32(1.0)}, sharding.data_mesh(8))
