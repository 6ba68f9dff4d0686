"""How a training command ends where it must not go on."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# Steps of a tiny network, more of them than a test waits for.
TRAIN = (
    f"--config={ROOT / 'configs/lenet_mnist.py'}:modern",
    *(f"--config.data.{name}_images=64" for name in ("train", "val")),
    "--config.batch_size=8",
    "--config.num_workers=0",
    "--config.log_every=1",
    "--config.epochs=100000",
)


def start(workdir, *flags):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *TRAIN, f"--workdir={workdir}", *flags],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "GLIBC_TUNABLES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process, seconds=300):
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupt_at_the_start_is_one_line(tmp_path):
    process = start(tmp_path)
    # While JAX is imported.
    wait_for(lambda: "jaxlib" in pathlib.Path(f"/proc/{process.pid}/maps").read_text(), process)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "", "\ninterrupted\n")


@pytest.mark.slow
def test_signals_stop_a_run_with_a_checkpoint_and_a_second_one_at_once(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    for signals in ((signal.SIGTERM,), (signal.SIGINT,), (signal.SIGINT, signal.SIGINT)):
        lines = metrics.read_text().count("\n") if metrics.exists() else 0
        process = start(tmp_path)
        wait_for(
            lambda: metrics.exists() and metrics.read_text().count("\n") > lines + 3,  # noqa: B023
            process,
        )
        started = time.monotonic()
        for each in signals:
            process.send_signal(each)
            time.sleep(0.002)
        out, error = process.communicate(timeout=60)
        assert time.monotonic() - started < 10
        assert process.returncode == 130 and "Traceback" not in error
        assert ("which is saved; the same command continues" in out) == (len(signals) == 1)
        assert ("interrupted" in error) == (len(signals) == 2)


@pytest.mark.slow
def test_a_folder_of_checkpoints_that_vanishes_ends_the_run_and_its_process(tmp_path):
    checkpoints = tmp_path / "checkpoints"
    process = start(tmp_path, "--config.save_every=50")
    wait_for(lambda: (checkpoints / "50").is_dir(), process)
    checkpoints.rename(tmp_path / "gone")
    checkpoints.write_text("")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.count("error: the checkpoint of step ") == 1 and "cannot be written" in error
    assert "Traceback" not in error
