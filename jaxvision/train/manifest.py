"""Digests of the files of a checkpoint, with which damage is noticed before anything is loaded.

The manifest is written when all other files are; a checkpoint of an older version has none. CRC-32
finds every single flipped bit, and misses another damage once in four billion times. It protects
against disks and copies, not against an attacker, who could write a manifest as well.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from jaxvision.data.files import write_whole

NAME = "manifest.json"
# Bytes that are digested at once: a large file is shared by several threads.
_BLOCK = 1 << 25
# Bytes that are read at once: they stay in a core's cache, which is three times as fast as a block.
_PIECE = 1 << 20
_THREADS = min(8, os.cpu_count() or 1)


class DamagedError(ValueError):
    """A checkpoint is not what was written; the message names the file."""


class _Block(NamedTuple):
    """A part of a file: its name in the folder, and where it begins, in bytes."""

    name: str
    start: int


def write(folder: Path) -> None:
    """Writes the manifest of a folder: sizes and digests of all files in the folders below it."""
    sizes = dict(sorted(_sizes(folder)))
    digests = _digests(folder, sizes)
    files = {name: [size, *digests[name]] for name, size in sizes.items()}
    write_whole(folder / NAME, json.dumps({"block": _BLOCK, "crc32": files}, indent=0))


def check(folder: Path, *, largest: float = math.inf) -> None:
    """Compares the files of a folder with its manifest.

    Args:
        folder: One that has a manifest.
        largest: Bytes of the largest file whose content is looked at; of others the size is.

    Raises:
        DamagedError: If a file is missing or not what was written.
    """
    written = _read(folder)
    sizes = dict(_sizes(folder))
    for name, (size, *_) in written.items():
        if sizes.get(name) != size:
            found = "nothing there" if name not in sizes else f"{sizes[name]:,} bytes"
            raise DamagedError(f"{folder / name}: expected {size:,} bytes as written, got {found}")
    looked_at = {name: size for name, (size, *_) in written.items() if size <= largest}
    for name, digests in _digests(folder, looked_at).items():
        if digests != written[name][1:]:
            raise _other_content(folder / name)


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    # Files of the folder itself are orbax's notes on its own work, written last and not needed.
    for file in folder.glob("*/**/*"):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.stat().st_size


def _digests(folder: Path, sizes: Mapping[str, int]) -> dict[str, list[int]]:
    """Returns the digests of the blocks of files, by their names in the folder."""
    blocks = [
        _Block(name, start) for name, size in sizes.items() for start in range(0, size, _BLOCK)
    ]

    def digest(block: _Block) -> int:
        found, left, view = 0, _BLOCK, memoryview(bytearray(_PIECE))
        with (folder / block.name).open("rb", buffering=0) as file:
            file.seek(block.start)
            while left and (size := file.readinto(view[: min(left, _PIECE)])):
                found, left = zlib.crc32(view[:size], found), left - size
        return found

    found: dict[str, list[int]] = {name: [] for name in sizes}
    with ThreadPoolExecutor(_THREADS, "digest") as pool:
        for block, value in zip(blocks, pool.map(digest, blocks), strict=True):
            found[block.name].append(value)
    return found


def _read(folder: Path) -> dict[str, list[int]]:
    """Reads a manifest: size and digests of each file.

    Raises:
        DamagedError: If it is not one.
    """
    try:
        content: Any = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files = content["crc32"]
        whole = content["block"] == _BLOCK and all(
            isinstance(numbers, list) and numbers and all(isinstance(n, int) for n in numbers)
            for numbers in files.values()
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        whole, files = False, {}
    if not whole:
        raise _other_content(folder / NAME)
    return files


def _other_content(file: Path) -> DamagedError:
    return DamagedError(f"{file}: its content is not what was written")
