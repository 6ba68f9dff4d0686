"""A student that learns from a trained run."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxvision.recipes import classification, weights
from jaxvision.tasks.classification import TEACHER, Distillation


@pytest.fixture(autouse=True)
def quiet(capsys):
    """Descriptions of the data are not of interest here."""


def small(**changes):
    """Sixteen drawn digits; names with two underscores for a dot."""
    config = classification.defaults()
    config.update(variant="lenet5_modern", image_size=32, batch_size=8, num_workers=0)
    config.update(mean=(0.1,), std=(0.8,))
    config.data.update(source="digits", val="test", train_images=16, val_images=8)
    config.augment.update(crop="pad", padding=0, flip=0)
    for name, value in changes.items():
        group, _, last = name.rpartition("__")
        (config[group] if group else config)[last] = value
    return config


def info(**changes):
    names = [str(i) for i in range(10)]
    return dict(class_names=names, multi_label=False, class_weights=[], train_images=16) | changes


@pytest.fixture
def run(monkeypatch):
    """Lets a network with random weights be the run `teacher`."""
    config = small()
    meta = json.loads(
        json.dumps(dict(recipe="classification", config=config.to_dict(), info=info()))
    )
    model = classification._model(config, 10)
    images = np.zeros((1, 32, 32, 1), np.float32)
    variables = jax.jit(lambda: model.init(jax.random.key(3), images, train=False))()
    monkeypatch.setattr(weights, "meta_of_run", lambda given: meta)
    monkeypatch.setattr(weights, "read_weights", lambda given, variant: dict(variables))
    return meta


def distilling(**changes):
    return small(distillation__teacher="teacher", **changes)


def test_loss_is_that_of_labels_and_teacher(run):
    experiment = classification.experiment(distilling(distillation__weight=0.6))
    task, batch = experiment.task, next(iter(experiment.train_data))
    batch = batch | experiment.constants
    params, state = jax.jit(task.init)(jax.random.key(0), batch)

    def logs(task):
        loss = task.loss(params, state, batch, step=0, key=jax.random.key(1))
        return loss.value, loss.logs

    value, found = jax.jit(lambda: logs(task))()
    np.testing.assert_allclose(value, 0.4 * found["main"] + 0.6 * found["soft"], rtol=1e-5)
    # A student who is the teacher has nothing to learn from it.
    params = batch[TEACHER]["params"]
    alone = dataclasses.replace(task, distillation=Distillation(task.model, 2.0, 1.0))
    assert abs(jax.jit(lambda: logs(alone))()[1]["soft"]) < 1e-5


def test_a_loaded_run_needs_no_teacher():
    assert classification.task(distilling(), info()).distillation is None


@pytest.mark.parametrize(
    ("meta", "changes", "message"),
    [
        (dict(recipe="detection"), {}, "must be a run of classification, teacher is of detection"),
        (dict(info=info(class_names=["a"])), {}, "must have the classes 0, 1, 2"),
        ({}, dict(std=(0.5,)), r"std must be that of the teacher, \(0.8,\)"),
        ({}, dict(distillation__temperature=0.0), "distillation.temperature must be"),
    ],
)
def test_other_teachers_are_refused(run, meta, changes, message):
    run.update(meta)
    with pytest.raises(ValueError, match=message):
        classification.experiment(distilling(**changes))


def test_weights_of_a_file_need_a_name(monkeypatch):
    monkeypatch.setattr(weights, "meta_of_run", lambda given: None)
    with pytest.raises(ValueError, match=r"distillation\.variant must name the network"):
        classification.experiment(distilling())
