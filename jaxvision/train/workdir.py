"""The folder of a run: what it was started with, and whether it may be continued."""

import json
import os
import pathlib
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from jaxvision.train.errors import TrainingError

# A run may be continued with other values of these; every other difference is another run.
FREE = (
    "epochs",
    "batch_size",
    "batch_tokens",
    "num_workers",
    "sharding",
    "remat",
    "log_every",
    "eval_every",
    "save_every",
    "patience",
    "data.path",
    "data.cache_bytes",
)


def prepare(
    workdir: pathlib.Path,
    config: Mapping[str, Any],
    *,
    config_file: pathlib.Path,
    command: list[str],
) -> None:
    """Makes a work directory, or checks that the one there belongs to this config.

    Writes `config.json`, a copy of the config file and the command line. Where a continued run
    changes what may be changed, the new config stands beside the old as `config.2.json`, and so on.

    Args:
        workdir: The folder.
        config: All values.
        config_file: The file that they come from.
        command: The command line, one line of `command.txt` a start.

    Raises:
        TrainingError: If the folder holds a run of another config, or something that is no run.
    """
    versions = _configs(workdir)
    if not versions:
        if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
            raise TrainingError(
                f"{workdir} is not empty and holds no config.json of a run; "
                "give an empty or new folder with --workdir"
            )
        workdir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(config_file, workdir / config_file.name)
        write_text(workdir / "config.json", json.dumps(config, indent=2) + "\n")
    else:
        try:
            old = _flatten(read_config(workdir))
        except ValueError as error:
            raise TrainingError(str(error)) from error
        new = _flatten(json.loads(json.dumps(config)))
        changed = [k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
        conflicts = [k for k in changed if k not in FREE]
        if conflicts:
            lines = [f"  {k}: {old.get(k)!r} there, {new.get(k)!r} now" for k in conflicts]
            raise TrainingError(
                f"{workdir} holds a run of another config:\n"
                + "\n".join(lines)
                + "\nstart this one elsewhere with --workdir, or repeat the old values to continue"
            )
        if changed:
            name = f"config.{_version(versions[-1]) + 1}.json"
            write_text(workdir / name, json.dumps(config, indent=2) + "\n")
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
        raise ValueError(f"{versions[-1]} must hold a config by its fields, got {config!r}")
    return config


def keep_files(workdir: pathlib.Path, files: Mapping[str, str]) -> None:
    """Writes files into a work directory, or checks that those there are the same.

    Args:
        workdir: The folder.
        files: {name: text}.

    Raises:
        TrainingError: If there is one of that name with another text.
    """
    for name, text in files.items():
        path = workdir / name
        if path.exists() and path.read_text() != text:
            raise TrainingError(
                f"{path} belongs to the checkpoints there, and the data or the file that is named "
                "now makes another; restore what the run was started with to continue it, or start "
                "this one elsewhere with --workdir"
            )
        workdir.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def _configs(workdir: pathlib.Path) -> list[pathlib.Path]:
    """Lists `config.json`, `config.2.json` and so on, the newest last."""
    return sorted(workdir.glob("config*.json"), key=_version)


def _version(path: pathlib.Path) -> int:
    middle = path.name.removeprefix("config").removesuffix(".json").strip(".")
    return int(middle) if middle.isdigit() else 1


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
