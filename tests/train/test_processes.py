"""Two processes train together as one does with the same devices."""

import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import toy
import toy_measures
from joined import finish, results, start

from jaxvision.train import loop

WORKER = pathlib.Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("straight")
    loop.run(toy.experiment(), workdir)
    return workdir


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """What two processes found, and the folder of their run."""
    workdir = tmp_path_factory.mktemp("joined")
    return results(finish(start([WORKER, workdir], processes=2))), workdir


def test_values_are_exchanged_in_the_order_of_the_processes(joined):
    for found in joined[0]:
        assert found["gathered"] == ["", "x" * 2000]
        assert found["from_first"] == {"number": 0}
        assert found["error"].startswith("ValueError: invalid literal") and "in 0" in found["error"]


def test_processes_with_other_values_are_named(joined):
    for found in joined[0]:
        assert found["different"].startswith("TrainingError: all processes must have the same")
        assert "  process 1: group.value: 5 in process 0, 6 here" in found["different"]
        assert "same:" not in found["different"]


def test_signal_to_one_process_stops_both_after_the_same_step_with_a_checkpoint(joined):
    found, _ = joined
    assert found[0]["stopped"] == found[1]["stopped"]
    outcome, step = found[0]["stopped"]
    # The batch of step 6 sends it, and may be prefetched; it is agreed on two steps later.
    assert outcome == "interrupted" and 6 <= step <= 8


def test_losses_and_metrics_are_those_of_one_process(joined, straight):
    found, workdir = joined
    for name in ("train/loss", "train/grad_norm", "val/score"):
        own, wanted = toy.logged(workdir, name), toy.logged(straight, name)
        assert own.keys() == wanted.keys()
        np.testing.assert_allclose(list(own.values()), list(wanted.values()), rtol=1e-5)
    assert found[0]["result"] == found[1]["result"]
    assert found[0]["result"][0] == "finished"
    assert found[0]["result"][1] == {"val/score": toy.logged(workdir, "val/score")[20]}


def test_coco_and_bleu_equal_those_of_one_process_to_the_last_digit(joined):
    wanted = toy_measures.metrics()
    assert 0.1 < wanted["AP"] < 0.8 and 50 < wanted["bleu"] < 90
    for found in joined[0]:
        # As text, since NaN, for sizes that no object has, does not equal itself.
        assert str(found["measured"]) == str(wanted)


def test_metrics_are_written_once(joined):
    lines = (joined[1] / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if "train/loss" in line]
    assert steps == list(range(1, 21))


def test_batch_that_the_processes_cannot_share_is_an_error(joined):
    for found in joined[0]:
        assert found["refused"] == (
            "ValueError: batch_size must be a multiple of the number of processes, 2, got 9"
        )


def test_run_of_two_processes_is_continued_by_one(joined, straight, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(joined[1], workdir)
    shutil.rmtree(workdir / "checkpoints/20")
    (before,) = map(int, os.listdir(workdir / "checkpoints"))
    assert before < 20
    loop.run(toy.experiment(), workdir)
    own, wanted = toy.logged(workdir, "train/loss"), toy.logged(straight, "train/loss")
    np.testing.assert_allclose(list(own.values()), list(wanted.values()), rtol=1e-5)
