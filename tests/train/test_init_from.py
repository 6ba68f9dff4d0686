import numpy as np
import optax
import pytest
from toy import NormedTask, experiment

from jaxvision.train import loop
from jaxvision.train.experiment import InitFrom
from jaxvision.train.init_from import start_from


def variables(value, *, classes=2, prefix=None):
    def filled(*shape):
        return np.full(shape, value, np.float32)

    params = {
        "backbone": {"stem": {"kernel": filled(3, 4)}, "norm": {"scale": filled(4)}},
        "head": {"kernel": filled(4, classes), "bias": filled(classes)},
    }
    stats = {"backbone": {"norm": {"mean": filled(4)}}}
    if prefix:
        return {"params": {prefix: params}, "batch_stats": {prefix: stats}}
    return {"params": params, "batch_stats": stats}


def test_all_variables_are_taken():
    found = start_from(variables(0.0), InitFrom(variables(1.0)))
    assert found["params"]["head"]["bias"].max() == 1
    assert found["batch_stats"]["backbone"]["norm"]["mean"].min() == 1


def test_part_of_one_model_fills_a_part_of_another():
    source = InitFrom(variables(1.0, classes=9), there="backbone", here="model/backbone")
    found = start_from(variables(0.0, prefix="model"), source)
    assert found["params"]["model"]["backbone"]["stem"]["kernel"].min() == 1
    assert found["batch_stats"]["model"]["backbone"]["norm"]["mean"].min() == 1
    assert found["params"]["model"]["head"]["bias"].max() == 0


def test_other_classes_are_an_error_that_lists_the_shapes():
    with pytest.raises(ValueError) as error:
        start_from(variables(0.0), InitFrom(variables(1.0, classes=3)))
    assert "head/kernel: [4, 3] there, [4, 2] here" in str(error.value)
    assert "head/bias: [3] there, [2] here" in str(error.value)


def test_layer_for_other_classes_stays_fresh_if_not_strict(capsys):
    source = InitFrom(variables(1.0, classes=3), strict=False)
    found = start_from(variables(0.0), source)
    assert found["params"]["backbone"]["stem"]["kernel"].min() == 1
    assert found["params"]["head"]["kernel"].shape == (4, 2)
    assert found["params"]["head"]["kernel"].max() == 0
    assert capsys.readouterr().out.strip() == (
        "started from other variables: 20 of 30 values; fresh: head/kernel, head/bias"
    )


def test_another_model_is_an_error_also_if_not_strict():
    source = InitFrom(
        {"params": {"backbone": {"stem": {"kernel": np.zeros((3, 4))}}}}, strict=False
    )
    with pytest.raises(ValueError, match="of another model, 12 of 30 values fit"):
        start_from(variables(0.0), source)


@pytest.mark.parametrize("field", ["there", "here"])
def test_prefix_that_names_nothing_is_an_error(field):
    source = InitFrom(variables(1.0), **{field: "neck"})
    with pytest.raises(ValueError, match=f"{field}='neck' names no part.*backbone, head"):
        start_from(variables(0.0), source)


def test_run_starts_from_several_models_and_reads_them_once(tmp_path):
    plain = experiment(task=NormedTask(), total_steps=2)
    first = loop.run(plain).state
    other = loop.run(experiment(task=NormedTask(), total_steps=2, seed=9)).state
    calls = []

    def read(state):
        calls.append(state)
        return state.variables

    still = dict(total_steps=1, optimizer=optax.sgd(0.0), task=NormedTask())
    wanted = experiment(
        init_from=[
            InitFrom(lambda: read(first), there="backbone", here="backbone"),
            InitFrom(lambda: read(other), there="head", here="head"),
        ],
        **still,
    )
    state = loop.run(wanted, tmp_path).state
    np.testing.assert_array_equal(
        state.params["backbone"]["dense"]["kernel"], first.params["backbone"]["dense"]["kernel"]
    )
    np.testing.assert_array_equal(
        state.params["head"]["dense"]["kernel"], other.params["head"]["dense"]["kernel"]
    )
    np.testing.assert_array_equal(
        state.ema.params["head"]["dense"]["kernel"], other.params["head"]["dense"]["kernel"]
    )
    loop.run(wanted, tmp_path)
    assert len(calls) == 2
