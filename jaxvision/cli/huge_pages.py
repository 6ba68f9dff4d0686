"""Starts the process again with huge pages for the arrays of a training step on a CPU.

XLA takes the memory of a step from malloc and gives it back after the step, so that each step has
the kernel map and clear it anew, in pages of 4 KiB. With pages of 2 MiB that is a few hundred times
less work. glibc asks for them if a tunable says so, which it reads when a process starts.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import sys

_VARIABLE = "GLIBC_TUNABLES"
_TUNABLES = "glibc.malloc.hugetlb=1"
# The kernel's setting: "always [madvise] never" if programs must ask, as they do by default.
_SETTING = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")


def restart_with_huge_pages() -> None:
    """Replaces this process by one with the same command line and huge pages, where they help.

    They do on Linux with glibc 2.35 or newer, if no accelerator is installed for jax. A process
    with a value of GLIBC_TUNABLES, which may be empty, or of LD_PRELOAD stays as it is. To be
    called before anything slow is imported.
    """
    chosen = {_VARIABLE, "LD_PRELOAD"} & os.environ.keys()
    if chosen or not _glibc_asks() or not _kernel_waits_to_be_asked() or _has_accelerator():
        return
    print(
        f"starting again with {_VARIABLE}={_TUNABLES}, for huge pages ({_VARIABLE}= turns it off)",
        flush=True,
    )
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, {**os.environ, _VARIABLE: _TUNABLES})


def _glibc_asks() -> bool:
    """Says whether this is glibc, new enough to know the tunable."""
    if sys.platform != "linux" or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return False
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    return name == "glibc" and tuple(map(int, version.split(".")[:2])) >= (2, 35)


def _kernel_waits_to_be_asked() -> bool:
    try:
        return "[madvise]" in _SETTING.read_text()
    except OSError:
        return False


def _has_accelerator() -> bool:
    """Says whether jax may use more than the CPU, without importing it."""
    platforms = os.environ.get("JAX_PLATFORMS")
    if platforms:
        return platforms != "cpu"
    plugins = importlib.metadata.entry_points(group="jax_plugins")
    return bool(plugins) or any(map(importlib.util.find_spec, ("jax_plugins", "libtpu")))
