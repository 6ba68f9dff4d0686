"""What a machine has, as far as training depends on it: versions, GPU, memory; without JAX."""

import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

PACKAGES = ("jaxvision", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
# What each extra of the package is imported as.
EXTRAS = {
    "text": ("tokenizers", "sacrebleu"),
    "hub": ("huggingface_hub",),
    "wandb": ("wandb",),
    "notebook": ("nbformat", "nbclient", "ipykernel"),
}
_PLUGIN = re.compile(r"jax[-_](?:cuda(\d+))[-_]plugin", re.IGNORECASE)
_HUGE_PAGES = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MEMORY = pathlib.Path("/proc/meminfo")
_QUERY = "name,driver_version,memory.total,memory.used"


class Gpu(NamedTuple):
    """An NVIDIA GPU, as the driver describes it; memory in MiB."""

    name: str
    driver: str
    total: int
    used: int


class Machine(NamedTuple):
    """Facts about a machine.

    Attributes:
        system: Operating system, processor and Python.
        versions: Of the packages that matter; "missing" where one is not installed.
        gpus: NVIDIA GPUs that the driver knows.
        nvidia_device: Whether the kernel has a device of NVIDIA's driver.
        plugin: Major version of CUDA that JAX's plugin is for, None without one.
        plugin_version: Version of that plugin.
        missing: Extras that are not installed.
        huge_pages: The kernel's setting, as "always [madvise] never"; "" where it has none.
        memory: Free memory in GB, None where it is not known.
        disk: Free space in this folder in GB.
        environment: Variables that JAX and CUDA read.
    """

    system: str
    versions: dict[str, str]
    gpus: tuple[Gpu, ...] = ()
    nvidia_device: bool = False
    plugin: int | None = None
    plugin_version: str = ""
    missing: tuple[str, ...] = ()
    huge_pages: str = ""
    memory: float | None = None
    disk: float = 0.0
    environment: dict[str, str] = {}


def look() -> Machine:
    """Finds out what this machine has."""
    plugin, plugin_version = _plugin()
    names = ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "XLA_FLAGS")
    return Machine(
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores",
        versions={name: _version(name) for name in PACKAGES},
        gpus=_gpus(),
        nvidia_device=pathlib.Path("/dev/nvidiactl").exists(),
        plugin=plugin,
        plugin_version=plugin_version,
        missing=tuple(extra for extra, parts in EXTRAS.items() if not all(map(_has, parts))),
        huge_pages=_HUGE_PAGES.read_text().strip() if _HUGE_PAGES.exists() else "",
        memory=_free_memory(),
        disk=shutil.disk_usage(".").free / 1e9,
        environment={name: os.environ[name] for name in names if os.environ.get(name)},
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _has(module: str) -> bool:
    return module in sys.modules or importlib.util.find_spec(module) is not None


def _plugin() -> tuple[int | None, str]:
    for distribution in importlib.metadata.distributions():
        found = _PLUGIN.fullmatch(distribution.metadata["Name"] or "")
        if found:
            return int(found[1]), distribution.version
    return None, ""


def _gpus() -> tuple[Gpu, ...]:
    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(answer.stdout)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Reads what nvidia-smi says of each GPU; numbers that it does not know are 0."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 4:
            total, used = (int(x) if x.isdigit() else 0 for x in fields[2:])
            found.append(Gpu(fields[0], fields[1], total, used))
    return tuple(found)


def _free_memory() -> float | None:
    if not _MEMORY.exists():
        return None
    found = re.search(r"MemAvailable:\s+(\d+) kB", _MEMORY.read_text())
    return int(found[1]) * 1024 / 1e9 if found else None
