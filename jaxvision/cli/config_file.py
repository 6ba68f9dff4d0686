"""Reading a config file and the flags that replace its values."""

import difflib
import importlib.util
import pathlib
import re
import types
from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxvision.cli.config_help import config_help
from jaxvision.cli.config_names import config_file, config_names, nearest
from jaxvision.cli.connect import Processes

# How ml_collections says that a locked config has no such name.
_UNKNOWN = re.compile(r'Key \\?"(\w+)\\?" does not exist')


class Command(NamedTuple):
    """A command line, read.

    Attributes:
        config: Values, with what the flags changed.
        recipe: The module that turns them into an experiment.
        file: The config file.
        workdir: The work directory.
        processes: The other processes of the run.
        replay: The step that is made again in place of training; 0 for none.
    """

    config: ConfigDict
    recipe: Any
    file: pathlib.Path
    workdir: pathlib.Path
    processes: Processes
    replay: int = 0


def parse(arguments: Sequence[str], usage: str) -> Command | None:
    """Reads a command line, the name of the program first.

    Args:
        arguments: The command line.
        usage: Printed for `--help`, followed by the config if there is one.

    Returns:
        What it says; None if it only asks for help.

    Raises:
        ValueError: If a flag, the config's argument or the name of one of its values is wrong.
        FileNotFoundError: If there is no such config file.
    """
    values = flags.FlagValues()
    flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run; by default under runs/, named after the config.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "replay",
        0,
        "Make this step of the run again, from its newest checkpoint, and find the operation whose "
        "result is NaN or infinite.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_bool("traceback", False, "Show where an error came from.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help and the config.", flag_values=values)
    _define_processes(values)
    # The config comes first: the other flags may name its values.
    name, rest = _take_config(arguments)
    path, colon, argument = (name or "").partition(":")
    module = config = None
    if name is not None:
        file = config_file(path)
        module = load(file)
        config = _get_config(module, *[argument] if colon else []).lock()
        _check_names(rest, config)
    try:
        if config is not None:
            config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=rest)
        stray = values(rest)[1:]
    except flags.Error as error:
        raise ValueError(f"{error}{_flag_hint(str(error), config)}") from error
    if values["help"].value:
        print(usage)
        if config is not None and module is not None:
            print(f"\nConfig:\n{config_help(config, module.recipe)}")
        return None
    if stray:
        hint = "" if name else _config_hint(stray[0])
        raise ValueError(f"flags start with --, got {' '.join(stray)}{hint}")
    if module is None or config is None:
        raise ValueError(
            f"expected --config=FILE or NAME, as in: {arguments[0]} --config=my_config.py; names "
            f"are {', '.join(config_names())}"
        )
    words = argument.replace(":", "_").replace("/", "_").split(",")
    default = pathlib.Path("runs", "_".join([pathlib.Path(path).stem, *filter(None, words)]))
    workdir = pathlib.Path(values["workdir"].value or default).absolute()
    flag: Any = {name: values[name].value for name in Processes._fields}
    processes = Processes(**flag)
    replay: Any = values["replay"].value
    return Command(config, module.recipe, file, workdir, processes, replay)


def _define_processes(values: flags.FlagValues) -> None:
    options: dict[str, Any] = dict(flag_values=values)
    flags.DEFINE_string(
        "coordinator", None, "HOST:PORT of process 0, where several processes train.", **options
    )
    flags.DEFINE_integer("num_processes", None, "How many processes train together.", **options)
    flags.DEFINE_integer("process_id", None, "Which of them this is, from 0.", **options)
    flags.DEFINE_bool(
        "distributed",
        None,
        "Join the processes that the cluster's environment describes; by default if srun, mpirun, "
        "an indexed job of Kubernetes or a TPU pod has started several.",
        **options,
    )
    flags.DEFINE_integer(
        "connect_seconds",
        Processes().connect_seconds,
        "Seconds to wait for the other processes.",
        lower_bound=1,
        **options,
    )


def load(file: pathlib.Path) -> types.ModuleType:
    """Imports a config file by its path.

    Raises:
        ValueError: If it is not a Python file with `recipe` and `get_config`.
    """
    spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
    if file.suffix != ".py" or spec is None or spec.loader is None:
        raise ValueError(f"--config must be a Python file, got {file}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError) as error:
        raise ValueError(f"{file} cannot be imported: {error}") from error
    missing = [name for name in ("recipe", "get_config") if not hasattr(module, name)]
    if missing:
        raise ValueError(
            f"{file} must define recipe and get_config, as the files in configs/ do; it has no "
            f"{' and no '.join(missing)}"
        )
    return module


def _config_hint(word: str) -> str:
    """Says what was perhaps meant by a word in place of a flag."""
    name, colon, argument = word.partition(":")
    near = nearest(name)
    return f"; did you mean --config={near}{colon}{argument}?" if near else ""


def _flag_hint(message: str, config: ConfigDict | None) -> str:
    """Says what was perhaps meant by an unknown flag: a value of the config."""
    found = re.search(r"Unknown command line flag '(?:no)?([\w.]+)'", message)
    if found is None:
        return ""
    if config is None:
        return "; --config=FILE comes first, and its values are flags, as --config.epochs=5"
    known, name = _names(config), found[1]
    near = [each for each in known if each == name or each.rpartition(".")[2] == name]
    near = near or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {' or '.join(f'--config.{each}' for each in near)}?" if near else ""


def _get_config(module: Any, *argument: str) -> ConfigDict:
    """Returns the values of a config file, which may set none that its recipe does not have."""
    try:
        return module.get_config(*argument)
    except (AttributeError, KeyError) as error:
        found = _UNKNOWN.search(str(error))
        if found is None:
            raise
        known = _names(module.recipe.defaults())
        raise ValueError(f"{module.__file__}: {_unknown(found[1], known)}") from error


def _take_config(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Separates --config=FILE or --config FILE from the other arguments."""
    for i, flag in enumerate(arguments):
        name, equals, value = flag.lstrip("-").partition("=")
        if flag.startswith("-") and name == "config":
            end = i + 1 if equals else i + 2
            file = value if equals else "".join(arguments[i + 1 : end])
            return file, [*arguments[:i], *arguments[end:]]
    return None, list(arguments)


def _check_names(arguments: Sequence[str], config: ConfigDict) -> None:
    """Finds flags of values that the config does not have.

    Raises:
        ValueError: With the nearest name.
    """
    known = _names(config)
    for flag in arguments:
        found = re.match(r"--?(?:no)?config\.([^=\[]+)", flag)
        if found and found[1] not in known:
            raise ValueError(_unknown(found[1], known))


def _unknown(name: str, known: Sequence[str]) -> str:
    """Says that there is no value of a name, and which one was perhaps meant."""
    last = name.rpartition(".")[2]
    # The right name in the wrong group, a wrong name, or both.
    near = [each for each in known if each.rpartition(".")[2] == last]
    if "." in name:
        near = near or difflib.get_close_matches(name, known, n=1)
    # Of two groups with such a value the first one.
    parts = {each.rpartition(".")[2]: each for each in reversed(known)}
    near = near or [parts[each] for each in difflib.get_close_matches(last, parts, n=1)]
    hint = f"; did you mean {' or '.join(near)}?" if near else "; --help lists all"
    return f"the config has no value {name}{hint}"


def _names(config: Any, prefix: str = "") -> list[str]:
    """Lists the names of groups and values, with dots."""
    names = []
    for key, value in config.items():
        names.append(prefix + key)
        if isinstance(value, ConfigDict):
            names += _names(value, f"{prefix}{key}.")
    return names
