"""How a run was started, each time: what is needed to repeat it, besides its config and its data.

`starts.jsonl` in the work directory has a line for each start: the time and step, the command,
versions of the packages, the state of the source in git, the machine with its devices, the
environment variables that JAX and its libraries read, and digests of the data.
"""

import datetime
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jax

import jaxvision
from jaxvision.train.experiment import Experiment

NAME = "starts.jsonl"
_PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "opencv-python-headless",
    "pillow",
)
# Beginnings of the names of variables that change what is computed, or how fast. Others may be
# secrets.
_VARIABLES = ("JAX_", "XLA_", "CUDA_VISIBLE_", "NVIDIA_TF32_", "TF_CUDNN_", "GLIBC_", "OMP_")


def describe_start(experiment: Experiment, step: int) -> dict[str, Any]:
    """Describes a start of a run, as JSON.

    Args:
        experiment: The run.
        step: Steps made before.
    """
    devices = jax.devices()
    return {
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "step": step,
        "command": [pathlib.Path(sys.executable).name, *sys.argv],
        "folder": str(pathlib.Path.cwd()),
        "versions": {"jaxvision": jaxvision.__version__, **_versions()},
        "git": _git(pathlib.Path(jaxvision.__file__).parent),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "devices": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "processes": jax.process_count(),
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_VARIABLES)},
        "seed": experiment.seed,
        "data": experiment.common()["data"],
    }


def append_start(workdir: pathlib.Path, start: dict[str, Any]) -> None:
    """Adds a start to those of a run, on a line of its own after one that is torn."""
    file = workdir / NAME
    torn = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")
    with file.open("a", encoding="utf-8") as opened:
        opened.write("\n" * torn + json.dumps(start, ensure_ascii=False) + "\n")


def read_starts(workdir: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the starts of a run; lines that a killed process has not finished are left out."""
    file, found = workdir / NAME, []
    for line in file.read_bytes().splitlines() if file.exists() else ():
        try:
            start = json.loads(line)
        except ValueError:
            continue
        if isinstance(start, dict):
            found.append(start)
    return found


def changed_data(starts: Sequence[Mapping[str, Any]], data: Mapping[str, str]) -> list[str]:
    """Names the datasets that are no longer what they were at the last start.

    Args:
        starts: Those before, as `read_starts` returns them.
        data: The digests of now, by the name of the dataset.
    """
    before = starts[-1].get("data") if starts else None
    if not isinstance(before, Mapping):
        return []
    return [name for name, digest in data.items() if before.get(name, digest) != digest]


@functools.cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # OpenCV, for one, has several names
            continue
    return found


@functools.cache
def _git(folder: pathlib.Path) -> str:
    """Returns the commit that a folder is of and whether files differ from it; "" without git."""

    def git(*arguments: str) -> str:
        # No program that the repository's own configuration names is to run.
        command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit} with changes" if git("status", "--porcelain", "-uno", ".") else commit
    except (OSError, subprocess.SubprocessError):
        return ""
