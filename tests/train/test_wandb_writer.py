import sys
import types

import numpy as np
import pytest
from toy import experiment

from jaxvision.train import loop
from jaxvision.train.wandb_writer import WandbWriter


@pytest.fixture
def wandb(monkeypatch):
    """Stands in for the library: remembers what it is given."""
    made = types.ModuleType("wandb")
    made.started, made.logged, made.finished = [], [], 0

    class Run:
        id = "abc"

        def log(self, values, step):
            made.logged.append((step, values))

        def finish(self):
            made.finished += 1

    def init(**options):
        made.started.append(options)
        return Run()

    made.init, made.Image = init, lambda image: ("picture", image.shape)
    monkeypatch.setitem(sys.modules, "wandb", made)
    return made


def test_run_is_logged_and_continues_under_its_name(wandb, tmp_path):
    wanted = experiment(total_steps=4, eval_every=2, wandb="shapes", meta={"config": {"a": 1}})
    loop.run(wanted, tmp_path / "run")
    (first,) = wandb.started
    assert (first["project"], first["name"], first["id"]) == ("shapes", "run", None)
    assert first["config"] == {"a": 1} and wandb.finished == 1
    names = {name for _, values in wandb.logged for name in values}
    assert {"train/loss", "val/score"} <= names and wandb.logged[-1][0] == 4
    loop.run(experiment(total_steps=6, eval_every=2, wandb="shapes"), tmp_path / "run")
    assert wandb.started[1]["id"] == "abc" and wandb.started[1]["resume"] == "allow"


def test_numbers_that_are_none_are_left_out_and_pictures_are_pictures(wandb, tmp_path):
    writer = WandbWriter("shapes", tmp_path, {})
    writer.write(3, {"a": 1.0, "b": float("nan")})
    writer.picture(3, "val/roc", np.zeros((2, 4, 3), np.uint8))
    assert wandb.logged == [(3, {"a": 1.0}), (3, {"val/roc": ("picture", (2, 4, 3))})]


def test_missing_extra_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match=r"pip install 'jaxvision\[wandb\]'"):
        WandbWriter("shapes", tmp_path, {})
