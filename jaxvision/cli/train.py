"""`jaxvision train`: trains what a config file describes.

    jaxvision train --config=yolox:tiny,yolo --config.data.path=DIR
    jaxvision train --config=my_config.py:s,coco --config.data.path=DIR --workdir=runs/coco

A config is a file, or the name of one that comes with the package.
The same command continues a run that was stopped. Every value of the config is a flag:
--config.batch_size=32, --config.optimizer.learning_rate=0.01. --help after a config lists them.
"""

import argparse
import functools
import pathlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from jaxvision.cli.run import quiet_jax, start_jax

# What the installed command calls itself.
NAME = "jaxvision train"
# After an error in the data.
_ADVICE = (
    "all faults of a detection dataset at once: "
    "jaxvision check-data --source=FORMAT --path=DIR --train=SPLIT"
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand to the list; its flags depend on the config, so `main` reads them."""
    subparsers.add_parser("train", help="train what a config file describes", add_help=False)


def main(arguments: Sequence[str]) -> int:
    """Runs a command line, the name of the program first; returns the exit code."""
    quiet_jax()
    # Here, so that the other commands need not wait for JAX.
    from jaxvision.data.errors import DataError
    from jaxvision.train.errors import TrainingError

    show_traceback = "--traceback" in arguments
    try:
        return _train_on_devices(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    # ImportError: an extra that is not installed.
    except (ValueError, OSError, ImportError, TrainingError) as error:
        if show_traceback:
            traceback.print_exception(error)
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, DataError):
            print(_ADVICE, file=sys.stderr)
        return 1


def _train_on_devices(arguments: Sequence[str]) -> int:
    """Trains; a lack of devices, which JAX only asserts, is a message."""
    try:
        return _train(arguments)
    except (AssertionError, RuntimeError):
        start_jax()
        raise


def _train(arguments: Sequence[str]) -> int:
    from jaxvision.cli.config_file import parse
    from jaxvision.train import loop, workdir

    command = parse(arguments, __doc__ or "")
    if command is None:
        return 0
    prepare = functools.partial(
        workdir.prepare,
        command.workdir,
        command.config.to_dict(),
        free=command.recipe.FREE,
        config_file=command.file,
        command=_repeatable(arguments),
    )
    # Of a run that continues, the config is compared before anything is taken from it; a new one
    # leaves no folder behind if its experiment cannot be built.
    if (command.workdir / "config.json").exists():
        prepare()
        experiment = command.recipe.experiment(command.config, _stored_info(command.workdir))
    else:
        experiment = command.recipe.experiment(command.config)
        prepare()
    result = loop.run(experiment, command.workdir)
    # 130 is what a shell reports of a process that Ctrl-C ended.
    return 0 if result.outcome is loop.Outcome.FINISHED else 130


def _repeatable(arguments: Sequence[str]) -> list[str]:
    """Returns the command line as what Python is called with."""
    name, *flags = arguments
    return [*(["-m", "jaxvision.cli.main", "train"] if name == NAME else [name]), *flags]


def _stored_info(folder: pathlib.Path) -> Mapping[str, Any] | None:
    """Returns what the task of a run knows of the data; None before its first checkpoint."""
    from jaxvision.train.checkpoint import read_meta

    try:
        return read_meta(folder)[1]["info"]
    except FileNotFoundError:
        return None
