"""Trains what a config describes.

    python train.py --config configs/yolox.py
    python train.py --config configs/yolox.py:s,coco --config.data.path=DIR --workdir=runs/coco

The same command continues a run that was stopped. Every value of the config is a flag:
--config.batch_size=32, --config.data.train=trainval.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import sys
import traceback
import types
from typing import NamedTuple

# XLA's notes to its developers are not for the reader of a training log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxvision.data.errors import DataError
from jaxvision.train import loop, workdir
from jaxvision.train.errors import TrainingError


class Command(NamedTuple):
    """A command line, read.

    Attributes:
        config: Values, with what the flags changed.
        module: The config file, imported.
        folder: The work directory.
    """

    config: ConfigDict
    module: types.ModuleType
    folder: pathlib.Path


def main(arguments: list[str]) -> int:
    """Runs a command line; returns the exit code."""
    show_traceback = "--traceback" in arguments
    try:
        command = parse(arguments)
        if command is None:
            return 0
        experiment = command.module.build(command.config)
        config = command.config.to_dict()
        config_file = pathlib.Path(command.module.__file__ or "")
        workdir.prepare(command.folder, config, config_file=config_file, command=arguments)
    except (ValueError, OSError, TrainingError) as error:
        return fail(error, show_traceback)
    versions = {name: importlib.metadata.version(name) for name in ("jax", "flax", "optax")}
    meta = {"config": config, "config_file": config_file.name, "versions": versions}
    try:
        outcome = loop.run(experiment, command.folder, meta=meta)
    except (DataError, TrainingError) as error:
        return fail(error, show_traceback)
    # 130 is what a shell reports of a process that Ctrl-C ended.
    return 0 if outcome is loop.Outcome.FINISHED else 130


def parse(arguments: list[str]) -> Command | None:
    """Reads a command line, the name of the program first; None if it only asks for help.

    Raises:
        ValueError: If a flag, the config's argument or the name of one of its fields is wrong.
        FileNotFoundError: If there is no such config file.
    """
    values = flags.FlagValues()
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run; by default under runs/, named after the config.",
        flag_values=values,
    )
    flags.DEFINE_bool("traceback", False, "Show where an error came from.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help and the config.", flag_values=values)
    # The config comes first: its fields are what the other flags may name.
    name, rest = _take_config(arguments)
    path, colon, argument = (name or "").partition(":")
    module = config = None
    if name is not None:
        module = load(pathlib.Path(path))
        config = module.get_config(*[argument] if colon else []).lock()
    try:
        if config is not None:
            config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=rest)
        stray = values(rest)[1:]
    except flags.Error as error:
        raise ValueError(str(error)) from error
    except (AttributeError, KeyError) as error:
        reason = str(error).replace("\\n", ". ").replace("\\'", "").strip("\"'")
        raise ValueError(f"the config has no field {reason}") from error
    if values["help"].value:
        print(__doc__, *([] if config is None else [f"\nConfig:\n{config}"]))
        return None
    if stray:
        raise ValueError(f"flags start with --, got {' '.join(stray)}")
    if module is None or config is None:
        raise ValueError("expected --config, as in: python train.py --config configs/yolox.py")
    words = argument.replace(":", "_").replace("/", "_").split(",")
    default = pathlib.Path("runs", "_".join([pathlib.Path(path).stem, *filter(None, words)]))
    return Command(config, module, pathlib.Path(values["workdir"].value or default).absolute())


def _take_config(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Separates --config=FILE or --config FILE from the other arguments."""
    for i, flag in enumerate(arguments):
        name, equals, value = flag.lstrip("-").partition("=")
        if flag.startswith("-") and name == "config":
            end = i + 1 if equals else i + 2
            return value if equals else "".join(arguments[i + 1 : end]), (
                arguments[:i] + arguments[end:]
            )
    return None, arguments


def load(file: pathlib.Path) -> types.ModuleType:
    """Imports a config file by its path.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no Python file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"--config must be a file, got {str(file)!r}, which is none")
    spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"--config must be a Python file, got {file}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fail(error: Exception, show_traceback: bool) -> int:
    """Prints what went wrong; returns the exit code."""
    if show_traceback:
        traceback.print_exception(error)
    print(f"error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
