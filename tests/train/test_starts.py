import dataclasses
import json
import logging
import re

import pytest
from toy import KilledError, eval_stream, experiment, killed_at

import jaxvision
from jaxvision.train import loop
from jaxvision.train.experiment import EvalSet
from jaxvision.train.starts import NAME, describe_start, read_starts


def test_each_start_is_recorded_with_what_repeats_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_SECRET_OF_A_TEST", "1")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    with pytest.raises(KilledError):
        loop.run(killed_at(experiment(), 5), tmp_path)
    with (tmp_path / NAME).open("a") as file:
        file.write('{"torn')
    loop.run(experiment(), tmp_path)
    first, *_ = starts = read_starts(tmp_path)
    assert [start["step"] for start in starts] == [0, 4]
    assert first["versions"]["jaxvision"] == jaxvision.__version__
    assert {"python", "jax", "jaxlib", "flax", "optax", "numpy"} <= first["versions"].keys()
    assert first["devices"] == "8 x cpu (cpu)" and first["seed"] == 3
    assert first["environment"]["XLA_SECRET_OF_A_TEST"] == "1"
    assert "secret" not in (tmp_path / NAME).read_text()
    assert re.fullmatch("([0-9a-f]{40}( with changes)?)?", first["git"])


def test_other_data_has_another_digest():
    plain = experiment()
    other = dataclasses.replace(plain, train_data=experiment(batch_size=16).train_data)
    one, two = (describe_start(each, 0)["data"] for each in (plain, other))
    assert one["val"] == two["val"] and one["train"] != two["train"]
    assert json.loads(json.dumps(one)) == one


def test_a_run_that_continues_on_other_data_says_so(tmp_path, caplog):
    plain = experiment()
    with pytest.raises(KilledError):
        loop.run(killed_at(plain, 5), tmp_path)
    other = dataclasses.replace(plain, eval_data={"val": EvalSet(eval_stream(batch_size=16))})
    with caplog.at_level(logging.WARNING, logger="absl"):
        loop.run(other, tmp_path)
    assert "other data than it was last started with" in caplog.text
    assert "changed in val" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="absl"):
        loop.run(dataclasses.replace(other, total_steps=plain.total_steps + 1), tmp_path)
    assert "other data" not in caplog.text
