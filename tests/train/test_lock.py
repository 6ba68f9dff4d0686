import signal
import subprocess
import sys

import pytest
from toy import experiment

from jaxvision.train import lock, loop
from jaxvision.train.errors import TrainingError
from jaxvision.train.lock import locked
from jaxvision.train.workdir import prepare

# Imports nothing that is slow.
HOLD = """
import pathlib, sys, time
from jaxvision.train.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("holds it", flush=True)
    time.sleep(60)
"""


def test_a_folder_in_use_is_refused_until_its_process_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "holds it\n"
        message = f"{tmp_path} is in use by another run .process {other.pid} on .*; wait for its"
        with pytest.raises(TrainingError, match=message):
            loop.run(experiment(), tmp_path)
        # Nothing is written beside the other one's files.
        assert {p.name for p in tmp_path.iterdir()} == {lock.NAME}
        other.send_signal(signal.SIGKILL)
    with locked(tmp_path):
        pass


def test_a_second_command_writes_nothing(tmp_path):
    file = tmp_path / "some.py"
    file.write_text("")
    workdir = tmp_path / "run"

    def start():
        prepare(workdir, {"seed": 0}, free=(), config_file=file, command=["train.py"])

    start()
    with locked(workdir), pytest.raises(TrainingError, match="is in use by another run"):
        start()
    assert (workdir / "command.txt").read_text().count("train.py") == 1


def test_a_folder_that_holds_but_a_lock_is_a_new_one(tmp_path):
    file = tmp_path / "some.py"
    file.write_text("")
    with locked(tmp_path / "run"):
        pass
    prepare(tmp_path / "run", {}, free=(), config_file=file, command=[])
    with locked(None):
        pass
