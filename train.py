"""Trains what a config describes: python train.py --config configs/yolox.py."""

import importlib.metadata
import importlib.util
import os
import pathlib
import sys
import types

# A GPU library's banner and XLA's notes are not for the reader of a training log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags, logging
from ml_collections import config_flags

from jaxvision.data.errors import DataError
from jaxvision.train import loop, workdir
from jaxvision.train.errors import TrainingError

CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Experiment, as configs/yolox.py or configs/yolox.py:tiny,voc.", lock_config=True
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run; by default under runs/, named after the config."
)


def main(arguments: list[str]) -> int:
    """Runs a command line; returns the exit code."""
    try:
        config, config_file, folder = parse(arguments)
        experiment = load(config_file).build(config)
        workdir.prepare(folder, config.to_dict(), config_file=config_file, command=arguments)
        versions = {name: importlib.metadata.version(name) for name in ("jax", "flax", "optax")}
        meta = {"config": config.to_dict(), "config_file": config_file.name, "versions": versions}
    except (ValueError, OSError, TrainingError, flags.Error) as error:
        return fail(error)
    try:
        outcome = loop.run(experiment, folder, meta=meta)
    except (DataError, TrainingError) as error:
        return fail(error)
    # As a shell reports a run that a signal ended.
    return 0 if outcome is loop.Outcome.FINISHED else 130


def parse(arguments: list[str]):
    """Reads the flags.

    Returns:
        The config, the file that it comes from and the work directory.

    Raises:
        ValueError: If the config file or one of its names is wrong.
        flags.Error: If a flag is wrong.
    """
    try:
        rest = flags.FLAGS(arguments)[1:]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"there is no such config field: {error}") from error
    if rest:
        raise ValueError(f"flags start with --, got {' '.join(rest)}")
    if flags.FLAGS["config"].value is None:
        raise ValueError("expected --config, as in: python train.py --config configs/yolox.py")
    name, _, argument = config_flags.get_config_filename(flags.FLAGS["config"]).partition(":")
    file = pathlib.Path(name)
    if not file.is_file():
        raise FileNotFoundError(f"--config must be a file, got {name}, which is none")
    words = [file.stem, *filter(None, argument.replace(":", "_").replace("/", "_").split(","))]
    folder = WORKDIR.value or pathlib.Path("runs") / "_".join(words)
    return CONFIG.value, file, pathlib.Path(folder).absolute()


def load(file: pathlib.Path) -> types.ModuleType:
    """Imports a config file by its path."""
    spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fail(error: Exception) -> int:
    """Prints what the user did not expect, without a traceback (--verbosity=1 shows it)."""
    logging.debug("", exc_info=error)
    print(f"error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
