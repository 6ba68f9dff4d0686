"""Starts several processes that train together on this machine, on simulated devices."""

import json
import os
import pathlib
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def environment(devices):
    """Variables of a process with so many devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    return os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": path}


def start(arguments, *, processes, devices=1, last=()):
    """Starts Python with arguments and those that join the processes; returns them.

    The last process gets further arguments.
    """
    port = free_port()
    started = []
    for process in range(processes):
        join = ()
        if processes > 1:
            join = (f"--coordinator=localhost:{port}", f"--num_processes={processes}")
            join = (*join, f"--process_id={process}")
        if process == processes - 1:
            join = (*join, *last)
        started.append(
            subprocess.Popen(
                [sys.executable, *map(str, arguments), *join],
                env=environment(devices),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return started


def finish(started, timeout=300):
    """Waits for processes; returns the exit code, output and errors of each."""
    try:
        shown = [process.communicate(timeout=timeout) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(p.returncode, *each) for p, each in zip(started, shown, strict=True)]


def results(finished):
    """Reads the last line that each process has printed, as JSON."""
    for code, out, err in finished:
        assert code == 0, f"{code}\n{out[-2000:]}\n{err[-4000:]}"
    return [json.loads(out.splitlines()[-1]) for _, out, _ in finished]
