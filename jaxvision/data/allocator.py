"""Lets the C library keep the memory of freed images for the next ones."""

import ctypes
import functools
import os
import sys

# Parameters of mallopt, from glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MIB = 1 << 20


@functools.cache
def keep_freed_memory() -> bool:
    """Reuses freed blocks of up to 16 MiB, in the whole process, instead of mapping new ones.

    By default glibc maps an array of the size of an image afresh each time, and the kernel clears
    it page by page: a third of the time of the pipeline. Up to 64 MiB an arena are kept.

    Returns:
        Whether anything was set: not on other systems and C libraries, and not where the
        environment sets glibc's allocator itself.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(
        library.mallopt(_M_MMAP_THRESHOLD, 16 * _MIB)
        and library.mallopt(_M_TRIM_THRESHOLD, 64 * _MIB)
    )
