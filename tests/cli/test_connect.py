"""Which processes join, and what is said if they do not."""

import subprocess
import sys

import pytest
from joined import ROOT, environment, free_port

from jaxvision.cli.connect import Processes, connect, several


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(coordinator="a:1"), "belong together, got only --coordinator"),
        (dict(num_processes=2, process_id=0), "got only --num_processes and --process_id"),
        (dict(coordinator="a", num_processes=2, process_id=0), "must be HOST:PORT, got a"),
        (dict(coordinator="a:1", num_processes=0, process_id=0), "must be at least 1, got 0"),
        (dict(coordinator="a:1", num_processes=2, process_id=2), r"must be in \[0, 2\), got 2"),
        (dict(distributed=True), "cannot join the other processes: .*--coordinator=HOST:PORT"),
    ],
)
def test_values_that_do_not_fit_together_are_errors(values, message, monkeypatch):
    monkeypatch.setattr("jax.distributed.initialize", refuse)
    with pytest.raises(ValueError, match=message):
        connect(Processes(**values))


def refuse(coordinator, *arguments, **options):
    raise ValueError("coordinator_address should be defined.")


@pytest.mark.parametrize(
    ("environment", "joins"),
    [
        ({}, False),
        ({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, False),  # no srun
        ({"SLURM_STEP_NODELIST": "n[1-2]", "SLURM_NTASKS": "8"}, True),
        ({"SLURM_STEP_NODELIST": "n1", "SLURM_NTASKS": "1"}, False),
        # A shell of salloc is a step of one task in a job of several.
        ({"SLURM_STEP_NODELIST": "n1", "SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "0"}, True),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
    ],
)
def test_several_processes_are_recognised(environment, joins):
    assert several(environment) == joins


def test_one_process_stays_alone(monkeypatch):
    monkeypatch.setattr("jax.distributed.initialize", refuse)
    connect(Processes())
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    connect(Processes(distributed=False))


def test_coordinator_that_does_not_answer_ends_in_one_message(tmp_path):
    place = f"localhost:{free_port()}"
    command = [sys.executable, str(ROOT / "train.py"), f"--config={ROOT / 'configs/yolox.py'}"]
    command += [f"--coordinator={place}", "--num_processes=2", "--process_id=1"]
    command += ["--connect_seconds=1", f"--workdir={tmp_path / 'run'}"]
    ended = subprocess.run(command, env=environment(1), capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"error: nobody answers at {place}, where process 0 should be after 1 s "
        "(--connect_seconds)\n"
    )
    assert not (tmp_path / "run").exists()
