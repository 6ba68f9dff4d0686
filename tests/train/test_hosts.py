"""Real tasks over processes and devices: the same losses and metrics; what is lost continues."""

import itertools
import json
import os
import pathlib
import shutil
import signal
import time

import cv2
import numpy as np
import pytest
import toy
import toy_trainer
from joined import ROOT, finish, results, start

# Runs of a detector in four processes take a while to compile on two cores.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TASKS = ("detection", "classification", "translation")
# Processes and devices of each.
ARRANGEMENTS = ((1, 4), (2, 2), (4, 1))
PAIRS = tuple(itertools.permutations(ARRANGEMENTS, 2))


def call(folder, jobs, processes, devices):
    """Lets processes work on jobs; returns what the first found."""
    file = folder / f"jobs_{processes}.json"
    file.write_text(json.dumps(jobs))
    worker = pathlib.Path(toy_trainer.__file__)
    started = start([worker, file], processes=processes, devices=devices)
    return results(finish(started, timeout=1800))[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of each task in each arrangement, as `detection_2`."""
    folder = tmp_path_factory.mktemp("hosts")
    toy_trainer.write_text(folder)
    for processes, devices in ARRANGEMENTS:
        jobs = [
            ["train", [task, str(folder), f"{folder}/{task}_{processes}"], {}] for task in TASKS
        ]
        assert call(folder, jobs, processes, devices) == [["finished", 20]] * 3
    return folder


@pytest.fixture(scope="module")
def continued(trained):
    """Continues each run from step 10 in each other arrangement, as `detection_2_in_4`.

    Returns:
        The metrics of the checkpoint that one process made, by arrangement and task.
    """
    measured = {}
    for processes, devices in ARRANGEMENTS:
        jobs = []
        for (first, _), (second, _) in PAIRS:
            if second == processes:
                for task in TASKS:
                    copy = f"{trained}/{task}_{first}_in_{second}"
                    shutil.copytree(f"{trained}/{task}_{first}", copy)
                    shutil.rmtree(f"{copy}/checkpoints/20")
                    (pathlib.Path(copy) / "metrics.jsonl").unlink()
                    jobs.append(["train", [task, str(trained), copy], {}])
        jobs += [["measure", [task, str(trained), f"{trained}/{task}_1"], {}] for task in TASKS]
        found = call(trained, jobs, processes, devices)
        assert found[:6] == [["finished", 20]] * 6
        measured[processes] = dict(zip(TASKS, found[6:], strict=True))
    return measured


def losses(folder):
    return toy.logged(folder, "train/loss")


@pytest.mark.parametrize("task", TASKS)
def test_losses_of_20_steps_are_the_same(trained, task):
    wanted = losses(trained / f"{task}_1")
    assert set(wanted) == set(range(1, 21)) and len(set(wanted.values())) == 20
    for processes in (2, 4):
        found = losses(trained / f"{task}_{processes}")
        np.testing.assert_allclose(list(found.values()), list(wanted.values()), rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("first", "second"), [(a, b) for (a, _), (b, _) in PAIRS])
def test_checkpoint_continues_in_another_arrangement(trained, continued, task, first, second):
    wanted, found = losses(trained / f"{task}_1"), losses(trained / f"{task}_{first}_in_{second}")
    assert set(found) == set(range(11, 21))
    np.testing.assert_allclose(
        list(found.values()), [wanted[step] for step in found], rtol=1e-5, err_msg=task
    )


@pytest.mark.parametrize("task", TASKS)
def test_metrics_of_a_checkpoint_are_equal_to_the_last_digit(continued, task):
    assert str(continued[1][task]) == str(continued[2][task]) == str(continued[4][task])


COMMAND = (
    ROOT / "train.py",
    f"--config={ROOT / 'configs/lenet_mnist.py'}:modern",
    "--config.data.train_images=64",
    "--config.data.val_images=32",
    "--config.batch_size=16",
    "--config.log_every=1",
    "--config.save_every=4",
    "--config.eval_every=1000000",
    "--config.num_workers=1",
)


def test_cut_state_trains_and_continues_over_processes(tmp_path):
    def finished(name, processes, epochs, sharding):
        flags = (f"--workdir={tmp_path / name}", f"--config.epochs={epochs}")
        flags = (*flags, f"--config.sharding={sharding}")
        for code, _, shown in finish(start([*COMMAND, *flags], processes=processes)):
            assert code == 0, shown

    finished("straight", 1, 4, "replicated")
    finished("run", 2, 2, "fsdp")
    finished("run", 1, 3, "fsdp")
    finished("run", 2, 4, "fsdp")
    wanted, found = losses(tmp_path / "straight"), losses(tmp_path / "run")
    assert set(found) == set(wanted) == set(range(1, 17))
    # The learning rate depends on the length of the run.
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-5)


@pytest.mark.parametrize("lost", [0, 1])
def test_process_that_loses_another_ends_with_a_message_and_the_command_continues(tmp_path, lost):
    workdir = tmp_path / "run"
    command = [*COMMAND, f"--workdir={workdir}", "--config.epochs=1000"]
    started = start(command, processes=2)
    while not (workdir / "checkpoints/8").is_dir():
        assert all(process.poll() is None for process in started)
        time.sleep(0.05)
    started[lost].send_signal(signal.SIGKILL)
    before = time.monotonic()
    ended = finish(started, timeout=60)[1 - lost]
    assert time.monotonic() - before < 60
    assert ended[0] != 0
    (message,) = [line for line in ended[2].splitlines() if line.startswith("error: ")]
    assert message.startswith(f"error: process {1 - lost} of 2: ")
    assert "another process of this run has ended or cannot be reached" in message
    assert "The same command continues from the last checkpoint." in message
    # So it does, until both are told to stop by a signal to one.
    newest = max(int(name) for name in os.listdir(workdir / "checkpoints") if name.isdigit())
    again = start(command, processes=2)
    while not (workdir / f"checkpoints/{newest + 8}").is_dir():
        assert all(process.poll() is None for process in again)
        time.sleep(0.05)
    again[lost].send_signal(signal.SIGTERM)
    stopped = finish(again, timeout=100)
    assert [code for code, _, _ in stopped] == [130, 130]
    assert f"training from step {newest} to 4000" in stopped[0][1]
    assert "which is saved" in stopped[0][1] and not stopped[1][1].count("step ")


def refused(command, *last):
    """What the first process says where the last has other flags."""
    ended = finish(start(command, processes=2, last=last), timeout=100)
    assert [code for code, _, _ in ended] == [1, 1]
    (message,) = [part for part in ended[0][2].split("error: ")[1:] if part.startswith("process 0")]
    return message


def test_process_with_another_config_is_named(tmp_path):
    message = refused([*COMMAND, f"--workdir={tmp_path / 'run'}"], "--config.seed=7")
    assert "  process 1: config.seed: 0 in process 0, 7 here" in message
    assert not (tmp_path / "run").exists()


def test_process_with_other_data_is_named(tmp_path):
    for folder, split, label, i in itertools.product("ab", ("train", "val"), ("cat", "dog"), "123"):
        file = tmp_path / folder / split / label / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((32, 32, 3), 30 * int(i), np.uint8))
    (tmp_path / "b/val/cat/1.png").rename(tmp_path / "b/val/cat/4.png")
    command = [ROOT / "train.py", f"--config={ROOT / 'configs/classify_folder.py'}:lenet5_modern"]
    command += ["--config.image_size=32", "--config.mean=(0.1,)", "--config.std=(0.8,)"]
    command += [f"--workdir={tmp_path / 'run'}", "--config.batch_size=4", "--config.epochs=1"]
    message = refused(
        [*command, f"--config.data.path={tmp_path / 'a'}"], f"--config.data.path={tmp_path / 'b'}"
    )
    assert "  process 1: data.val: " in message
    assert "data.train" not in message and "config." not in message
