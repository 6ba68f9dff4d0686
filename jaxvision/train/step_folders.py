"""The folders of a run's checkpoints: which there are, whether they are whole, what they say.

Nothing here needs orbax, which reads the small files of all checkpoints when it is started and
fails with the first that is damaged.
"""

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import logging

from jaxvision.train import manifest
from jaxvision.train.manifest import DamagedError

# What a checkpoint holds and how its names are chosen; raised when older ones cannot be read.
LAYOUT = 2
# The key of the meta that says that there is a manifest, which older versions did not write.
DIGESTS = "digests"
# Files with at most so many bytes are looked at when a run starts.
SMALL = 1 << 16
_ASIDE = ".unreadable"


def steps(directory: Path) -> list[int]:
    """Lists the steps of the checkpoints in a folder, in order."""
    if not directory.is_dir():
        return []
    return sorted(int(p.name) for p in directory.iterdir() if p.name.isdecimal() and p.is_dir())


def check(folder: Path, *, largest: float = math.inf) -> None:
    """Looks for damage in a checkpoint.

    Args:
        folder: Of the checkpoint.
        largest: Bytes of the largest file whose content is looked at.

    Raises:
        DamagedError: If a file is missing or not what was written.
    """
    meta = read_meta(folder)
    if not (folder / "state").is_dir():
        raise DamagedError(f"{folder / 'state'}: nothing there")
    if DIGESTS in meta or (folder / manifest.NAME).exists():
        manifest.check(folder, largest=largest)
    read_metrics(folder)


def read_meta(folder: Path) -> dict[str, Any]:
    """Reads what a checkpoint says of its run.

    Raises:
        DamagedError: If it cannot be read.
    """
    return _read_json(folder / "meta" / "metadata")


def read_metrics(folder: Path) -> dict[str, float]:
    """Reads the watched metric of a checkpoint by its name; empty if there is none.

    Raises:
        DamagedError: If it cannot be read.
    """
    file = folder / "metrics" / "metrics"
    found = _read_json(file) if file.exists() else {}
    if not all(isinstance(value, int | float) for value in found.values()):
        raise DamagedError(f"{file}: expected numbers, got {found!r}")
    return found


def other_layout(folder: Path, meta: Mapping[str, Any]) -> str:
    """Says that a checkpoint was written by another version of jaxvision; "" if it was not."""
    layout = meta.get("layout", 1)
    if layout == LAYOUT:
        return ""
    age = "newer" if layout > LAYOUT else "older"
    return (
        f"{folder} was written by {'a' if age == 'newer' else 'an'} {age} version of jaxvision "
        f"(layout {layout}, this version reads {LAYOUT}); use that version, or train again"
    )


def clean(directory: Path) -> None:
    """Removes what a killed process has not finished, and moves damaged checkpoints aside.

    Of large files the sizes are compared; `check` reads those of the one that is restored.
    """
    for unfinished in directory.glob("*.orbax-checkpoint-tmp*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    for step in steps(directory):
        try:
            check(directory / str(step), largest=SMALL)
        except DamagedError as error:
            set_aside(directory, step, error)


def set_aside(directory: Path, step: int, damage: Exception) -> None:
    """Renames the folder of a checkpoint that cannot be read, and says why."""
    aside = directory / f"{step}{_ASIDE}"
    shutil.rmtree(aside, ignore_errors=True)
    (directory / str(step)).rename(aside)
    logging.warning(
        "checkpoint %d cannot be read (%s); it is now %s, trying the one before",
        step,
        reason(damage),
        aside,
    )


def were_set_aside(directory: Path) -> list[str]:
    """Lists the names of the checkpoints that were moved aside."""
    return sorted(p.name for p in directory.glob(f"*{_ASIDE}"))


def reason(error: Exception) -> str:
    """Returns the first line of an error's message, or its kind where it has none."""
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{file}: {reason(error)}") from error
    if not isinstance(found, dict):
        raise DamagedError(f"{file}: expected an object, got {found!r:.50}")
    return found
