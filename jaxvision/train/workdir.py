"""The folder of a run: how it was started, and whether it may be continued."""

import json
import pathlib
import shutil
import sys
from collections.abc import Collection, Mapping
from typing import Any

from jaxvision.data.files import write_whole
from jaxvision.train import lock, step_folders
from jaxvision.train.errors import TrainingError
from jaxvision.train.lock import locked


def prepare(
    workdir: pathlib.Path,
    config: Mapping[str, Any],
    *,
    free: Collection[str],
    config_file: pathlib.Path,
    command: list[str],
) -> None:
    """Makes a work directory, or checks that the one there belongs to this config.

    Writes `config.json`, a copy of the config file and the command line. Where a continued run
    changes free values, the new config is written beside the old as `config.2.json`, and so on; so
    is any config where a run ended before its first checkpoint, of which nothing is continued.

    Args:
        workdir: The folder.
        config: All values.
        free: Dotted names of the values that may differ when a run is continued, as
            `data.path`; a name of a group frees all of its values.
        config_file: The file that they come from.
        command: The command line, one line of `command.txt` a start.

    Raises:
        TrainingError: If the folder holds a run of another config, or other files, or another
            process uses it.
    """
    versions = _configs(workdir)
    if not versions:
        if workdir.exists() and (not workdir.is_dir() or _files(workdir)):
            raise TrainingError(
                f"{workdir} is not empty and holds no config.json of a run; "
                "give an empty or new folder with --workdir"
            )
        workdir.mkdir(parents=True, exist_ok=True)
        name = "config.json"
    else:
        try:
            old = flatten(read_config(workdir))
        except ValueError as error:
            raise TrainingError(str(error)) from error
        new = flatten(json.loads(json.dumps(config)))
        changed = [k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
        conflicts = [k for k in changed if not _is_free(k, free)]
        if conflicts and _has_checkpoints(workdir):
            lines = [f"  {k}: {old.get(k)!r} there, {new.get(k)!r} now" for k in conflicts]
            raise TrainingError(
                f"{workdir} holds a run of another config:\n"
                + "\n".join(lines)
                + "\ngive another folder with --workdir, or the old values to continue that run"
            )
        name = f"config.{_version(versions[-1]) + 1}.json" if changed else ""
    with locked(workdir):
        if not _has_checkpoints(workdir):
            shutil.copyfile(config_file, workdir / config_file.name)
        if name:
            write_whole(workdir / name, json.dumps(config, indent=2) + "\n")
        with (workdir / "command.txt").open("a") as file:
            file.write(" ".join([pathlib.Path(sys.executable).name, *command]) + "\n")


def read_config(workdir: pathlib.Path) -> dict[str, Any]:
    """Reads the config that a run was last started with.

    Raises:
        FileNotFoundError: If the folder holds none.
        ValueError: If it cannot be read.
    """
    versions = _configs(workdir)
    if not versions:
        raise FileNotFoundError(
            f"{workdir} holds no config.json; expected the work directory of a run"
        )
    try:
        config = json.loads(versions[-1].read_text())
    except ValueError as error:
        raise ValueError(f"{versions[-1]} is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{versions[-1]} must hold the values of a config, got {config!r}")
    return config


def _files(workdir: pathlib.Path) -> list[str]:
    """Lists what is in a folder, but for what a process leaves that ended before it wrote."""
    return [p.name for p in workdir.iterdir() if p.name != lock.NAME]


def _has_checkpoints(workdir: pathlib.Path) -> bool:
    """Says whether there is or was one; one that was half written when a run ended is none."""
    folder = workdir / "checkpoints"
    return bool(step_folders.steps(folder) or step_folders.were_set_aside(folder))


def _is_free(name: str, free: Collection[str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in free)


def _configs(workdir: pathlib.Path) -> list[pathlib.Path]:
    """Lists `config.json`, `config.2.json` and so on, the newest last."""
    return sorted(workdir.glob("config*.json"), key=_version)


def _version(path: pathlib.Path) -> int:
    middle = path.name.removeprefix("config").removesuffix(".json").strip(".")
    return int(middle) if middle.isdigit() else 1


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Maps the values of a config, in groups, by their dotted names, as `data.path`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
