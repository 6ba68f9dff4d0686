"""`jaxvision train`: trains what a config file describes.

    jaxvision train --config=yolox:tiny,yolo --config.data.path=DIR
    jaxvision train --config=my_config.py:s,coco --config.data.path=DIR --workdir=runs/coco

A config is a file, or the name of one that comes with the package.
The same command continues a run that was stopped. Every value of the config is a flag:
--config.batch_size=32, --config.optimizer.learning_rate=0.01. --help after a config lists them.

Several processes train together where srun, mpirun, Kubernetes or a TPU pod starts them, or
with --coordinator=HOST:PORT --num_processes=N --process_id=I in each of them.
"""

import argparse
import functools
import pathlib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxvision.cli.process import INTERRUPTED
from jaxvision.cli.run import print_any_name, quiet_jax, start_jax

if TYPE_CHECKING:
    from jaxvision.cli.config_file import Command
    from jaxvision.train.experiment import Experiment

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
    """Runs a command line, the name of the program first.

    Returns:
        The exit code: 0 for a run that has finished, 130 for one that a signal has stopped and the
        same command continues, 1 after an error.
    """
    print_any_name()
    quiet_jax()
    # Here, so that the other commands need not wait for JAX.
    from jaxvision.data.errors import DataError
    from jaxvision.train.errors import TrainingError

    show_traceback = "--traceback" in arguments
    try:
        return _train_on_devices(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _leave(INTERRUPTED)
    # ImportError: an extra that is not installed.
    except (ValueError, OSError, ImportError, TrainingError) as error:
        if show_traceback:
            traceback.print_exception(error)
        from jaxvision.train import processes

        processes.show_error(error)
        if isinstance(error, DataError):
            print(_ADVICE, file=sys.stderr)
        return _leave(1)


def _train_on_devices(arguments: Sequence[str]) -> int:
    """Trains; a lack of devices, which JAX only asserts, is a message."""
    try:
        return _train(arguments)
    except (AssertionError, RuntimeError):
        start_jax()
        raise


def _train(arguments: Sequence[str]) -> int:
    from jaxvision.cli.config_file import parse
    from jaxvision.cli.connect import connect
    from jaxvision.train import loop, processes

    command = parse(arguments, __doc__ or "")
    if command is None:
        return 0
    connect(command.processes)
    with processes.one_speaks(), processes.ends_with_the_others():
        _check_same(command)
        _check_devices(command)
        experiment = _experiment(command, arguments)
        if command.replay:
            return _replay(experiment, command)
        result = loop.run(experiment, command.workdir)
    return 0 if result.outcome is loop.Outcome.FINISHED else INTERRUPTED


def _replay(experiment: "Experiment", command: "Command") -> int:
    """Makes a step again and prints what it did; the exit code is 1 if it was not finite.

    Raises:
        ValueError: If there are several processes, or the step is before the newest checkpoint.
    """
    import jax

    from jaxvision.train.replay import replay

    if jax.process_count() > 1:
        raise ValueError(f"--replay is for one process, got {jax.process_count()}")
    found = replay(experiment, command.workdir, command.replay)
    names = sorted(found.logs, key=lambda name: (name != "loss", name != "grad_norm"))
    logs = ", ".join(f"{name} = {found.logs[name]:.6g}" for name in names)
    print(f"step {command.replay} made again: {logs}")
    if not found.found:
        print("no result of it is NaN or infinite")
        return 0
    print(f"{found.found}; the operation is the last of these lines:")
    print("\n".join(f"  {line}" for line in found.place))
    return 1


def _check_same(command: "Command") -> None:
    """Compares the processes' command lines.

    Raises:
        TrainingError: If they differ in what all must have in common.
    """
    from jaxvision.recipes import values
    from jaxvision.train import processes, workdir

    config = workdir.flatten(command.config.to_dict())
    common = {name: value for name, value in config.items() if name not in values.OF_ONE_PROCESS}
    processes.check_same({"config": common, "workdir": str(command.workdir)})


def _check_devices(command: "Command") -> None:
    """Compares sizes of batches with the number of devices, before any data is read.

    Raises:
        ValueError: If the devices cannot share a batch.
    """
    import jax

    from jaxvision.train import workdir

    devices = jax.device_count()
    config = workdir.flatten(command.config.to_dict())
    for name in ("batch_size", "eval.batch_size"):
        if (size := config.get(name, 0)) % devices:
            raise ValueError(
                f"{name} must be a multiple of the number of devices, {devices}, got {size}"
            )


def _experiment(command: "Command", arguments: Sequence[str]) -> "Experiment":
    """Prepares the work directory and builds the experiment."""
    from jaxvision.train import processes, workdir

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
    file = command.workdir / "config.json"
    if processes.from_first(file.exists):
        processes.from_first(prepare)
        info = _stored_info(command.workdir)
        experiment = command.recipe.experiment(command.config, info)
    else:
        experiment = command.recipe.experiment(command.config)
        processes.from_first(prepare)
    seen = processes.gather(_appears(file))
    if blind := [str(process) for process, sees in enumerate(seen) if not sees]:
        raise ValueError(
            f"--workdir must be a folder that all processes see, and {command.workdir} is not "
            f"there for process {', '.join(blind)}"
        )
    return experiment


def _appears(file: pathlib.Path, seconds: float = 10.0) -> bool:
    """Waits for a file of another host, which a network's file system may show late."""
    until = time.monotonic() + seconds
    while not (there := file.exists()) and time.monotonic() < until:
        time.sleep(0.1)
    return there


def _leave(code: int) -> int:
    """Returns an exit code, or ends one of several processes with it at once.

    Leaving the others in an orderly way would wait for them, who wait for this one.
    """
    import jax

    from jaxvision.train import processes

    if jax.distributed.is_initialized() and jax.process_count() > 1:
        if processes.is_first():
            time.sleep(2)  # the others end with this one, whatever they have still to say
        processes.end(code)
    return code


def _repeatable(arguments: Sequence[str]) -> list[str]:
    """Returns the command line as what Python is called with."""
    name, *flags = arguments
    return [*(["-m", "jaxvision.cli.main", "train"] if name == NAME else [name]), *flags]


def _stored_info(folder: pathlib.Path) -> Mapping[str, Any] | None:
    """Returns what the task of a run knows of the data; None before its first checkpoint.

    And where none can be read, of which the loop will say more.
    """
    from jaxvision.train.saved import DamagedCheckpoint, NoCheckpoints, read_meta

    try:
        return read_meta(folder)[1]["info"]
    except (NoCheckpoints, DamagedCheckpoint):
        return None
