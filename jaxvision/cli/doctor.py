"""`jaxvision doctor`: what this machine has, and what keeps training from running well on it.

jaxvision doctor
"""

import argparse
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

from jaxvision.cli.machine import Machine, look
from jaxvision.cli.run import start_jax

_DESCRIPTION = """
Prints versions and devices, and checks for the usual causes of trouble; each comes with a remedy.
The exit code is 1 if training cannot run, or not on the GPU that is there. To report a problem,
paste all of the output.
"""
# Oldest driver for each major version of CUDA, by NVIDIA's table of minor version compatibility.
_DRIVERS = {12: 525, 13: 580}
_LITTLE_MEMORY, _LITTLE_DISK = 2.0, 2.0  # GB
_BUSY = 0.5  # share of a GPU's memory that others use


class Trouble(NamedTuple):
    """Something to be told about a machine.

    Attributes:
        serious: Whether training cannot run, or not on the GPU.
        what: The finding.
        remedy: What to do.
    """

    serious: bool
    what: str
    remedy: str


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "doctor", help="check versions, devices and the machine", description=_DESCRIPTION
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints what there is and what is wrong with it; returns the exit code."""
    machine = look()
    devices, problem = _devices()
    found = list(troubles(machine, devices, problem))
    if options.json:
        parts = [trouble._asdict() for trouble in found]
        gpus = [gpu._asdict() for gpu in machine.gpus]
        facts = {**machine._asdict(), "gpus": gpus, "environment": sorted(machine.environment)}
        print(json.dumps({**facts, "devices": devices, "troubles": parts}, indent=2))
    else:
        print(_text(machine, devices, found))
    return int(any(trouble.serious for trouble in found))


def _devices() -> tuple[list[str], str]:
    """Returns JAX's devices by kind, and why there are none."""
    try:
        start_jax()
        import jax

        return [f"{device.platform}: {device.device_kind}" for device in jax.devices()], ""
    except (ImportError, ValueError) as error:
        return [], str(error)


def troubles(machine: Machine, devices: list[str], problem: str) -> Iterator[Trouble]:
    """Yields what is wrong with a machine, or could be better.

    Args:
        machine: Its facts.
        devices: JAX's devices, as "gpu: NVIDIA H100".
        problem: Why there are none.
    """
    missing = [name for name, version in machine.versions.items() if version == "missing"]
    if missing:
        yield Trouble(True, f"missing: {', '.join(missing)}", f"pip install -U {' '.join(missing)}")
    if problem:
        yield Trouble(
            True, problem.partition(";")[0], "unset JAX_PLATFORMS, or see the lines below"
        )
    yield from _of_gpu(machine, any(not device.startswith("cpu") for device in devices))
    if machine.huge_pages.endswith("[never]") and not machine.gpus:
        yield Trouble(
            False,
            "huge pages are off, with which training on a CPU is faster",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        )
    if machine.memory is not None and machine.memory < _LITTLE_MEMORY:
        yield Trouble(
            False,
            f"{machine.memory:.1f} GB of memory are free",
            "close programs, or lower --config.batch_size and --config.data.cache_bytes",
        )
    if machine.disk < _LITTLE_DISK:
        yield Trouble(
            False,
            f"{machine.disk:.1f} GB are free in this folder",
            "give a folder on another disk by --workdir; checkpoints hold three times the weights",
        )
    if machine.missing:
        yield Trouble(
            False,
            f"extras that are not installed: {', '.join(machine.missing)}",
            f"if you need them: pip install 'jaxvision[{','.join(machine.missing)}]'",
        )


def _of_gpu(machine: Machine, used: bool) -> Iterator[Trouble]:
    """Yields what is wrong with NVIDIA GPUs; `used` says whether JAX sees an accelerator."""
    if not machine.gpus:
        if machine.nvidia_device and not used:
            yield Trouble(
                True,
                "NVIDIA's kernel driver is loaded, and nvidia-smi does not answer",
                "restart after an update of the driver; in a container, start it with --gpus=all",
            )
        return
    driver = machine.gpus[0].driver
    major = int(driver.partition(".")[0]) if driver.partition(".")[0].isdigit() else 0
    extra = f"cuda{max((cuda for cuda, least in _DRIVERS.items() if major >= least), default=12)}"
    jaxlib = machine.versions.get("jaxlib", "")
    if machine.environment.get("JAX_PLATFORMS") == "cpu":
        yield Trouble(True, "JAX_PLATFORMS=cpu hides the GPU from JAX", "unset JAX_PLATFORMS")
    elif machine.environment.get("CUDA_VISIBLE_DEVICES") in ("-1", "NoDevFiles"):
        yield Trouble(True, "CUDA_VISIBLE_DEVICES hides the GPU", "unset CUDA_VISIBLE_DEVICES")
    elif machine.plugin is None:
        yield Trouble(
            True,
            "there is a GPU, and JAX's CUDA plugin is not installed",
            f"pip install 'jaxvision[{extra}]'",
        )
    elif major < _DRIVERS.get(machine.plugin, 0):
        yield Trouble(
            True,
            f"driver {driver} is too old for CUDA {machine.plugin}, which needs "
            f"{_DRIVERS[machine.plugin]} or newer",
            "update the driver"
            + (
                f", or: pip install 'jaxvision[{extra}]'" if major >= min(_DRIVERS.values()) else ""
            ),
        )
    elif machine.plugin_version != jaxlib:
        yield Trouble(
            True,
            f"the CUDA plugin is {machine.plugin_version}, jaxlib {jaxlib}",
            f"pip install 'jax[cuda{machine.plugin}]=={jaxlib}'",
        )
    elif not used:
        path = "LD_LIBRARY_PATH" in machine.environment
        yield Trouble(
            True,
            "there are a GPU and the CUDA plugin, and JAX sees no GPU",
            "unset LD_LIBRARY_PATH, which puts other CUDA libraries before JAX's own"
            if path
            else "python -c 'import jax; jax.devices(\"cuda\")' prints why",
        )
    for number, gpu in enumerate(machine.gpus):
        if gpu.total and gpu.used > _BUSY * gpu.total:
            yield Trouble(
                False,
                f"others use {gpu.used:,} of {gpu.total:,} MiB of GPU {number}",
                "end them (nvidia-smi lists them), or choose another by CUDA_VISIBLE_DEVICES",
            )


def _text(machine: Machine, devices: list[str], found: list[Trouble]) -> str:
    lines = [machine.system]
    lines.append(", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    counted = [f"{devices.count(device)} x {device}" for device in dict.fromkeys(devices)]
    lines.append(f"devices of JAX: {', '.join(counted) or 'none'}")
    for gpu in machine.gpus:
        lines.append(f"{gpu.name}, driver {gpu.driver}, {gpu.used:,} of {gpu.total:,} MiB used")
    if machine.plugin:
        lines.append(f"CUDA {machine.plugin} plugin {machine.plugin_version}")
    memory = "" if machine.memory is None else f"{machine.memory:.1f} GB of memory, "
    lines.append(f"free: {memory}{machine.disk:.1f} GB here")
    if machine.environment:
        # The names alone: values may hold paths of the user's machine.
        lines.append(f"set: {', '.join(sorted(machine.environment))}")
    lines.append("")
    for trouble in found:
        lines.append(f"{'problem' if trouble.serious else 'note'}: {trouble.what}")
        lines.append(f"  {trouble.remedy}")
    if not any(trouble.serious for trouble in found):
        lines.append("training can run")
    return os.linesep.join(lines)
