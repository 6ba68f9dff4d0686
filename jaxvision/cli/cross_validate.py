"""`jaxvision cross-validate`: trains on all parts of a dataset but one, for each part in turn.

jaxvision cross-validate --config=classify_folder --config.data.path=DIR
jaxvision cross-validate --folds=10 --config=my_config.py --config.epochs=20 --workdir=runs/folds

The flags are those of `jaxvision train`, and --folds, 5 by default. The run of part k is in
`<workdir>/fold<k>`; the same command goes on where it stopped. At the end the last metrics of all
runs are printed, with their mean and standard deviation, and written to `<workdir>/folds.json`.
"""

import argparse
import json
import pathlib
import statistics
import sys
from collections.abc import Mapping, Sequence

from jaxvision.cli import train
from jaxvision.cli.run import print_any_name

NAME = "jaxvision cross-validate"
_MOST_FOLDS = 1000


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand to the list; its flags depend on the config, so `main` reads them."""
    subparsers.add_parser(
        "cross-validate", help="train once for each fold of the data; mean", add_help=False
    )


def main(arguments: Sequence[str]) -> int:
    """Runs a command line, the name of the program first.

    Returns:
        The exit code: 0 if all runs have finished, else that of the run which has not.
    """
    print_any_name()
    try:
        count, workdir, rest = _own_flags(arguments[1:])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not any(word.partition("=")[0] == "--config" for word in rest) or "--help" in rest:
        print(__doc__)
        return 0 if "--help" in rest else 1
    found: dict[str, dict[str, float]] = {}
    for number in range(1, count + 1):
        folder = workdir / f"fold{number}"
        print(f"fold {number} of {count}", flush=True)
        fold = f"--config.data.fold={number}/{count}"
        code = train.main([train.NAME, *rest, fold, f"--workdir={folder}"])
        if code:
            return code
        found[folder.name] = _last_metrics(folder)
    _report(found, workdir / "folds.json")
    return 0


def _own_flags(words: Sequence[str]) -> tuple[int, pathlib.Path, list[str]]:
    """Takes `--folds` and `--workdir` out of the flags; returns both and the others.

    Raises:
        ValueError: If the number is out of its range, or the config's own fold is given.
    """
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    own.add_argument("--folds", default="5")
    own.add_argument("--workdir", type=pathlib.Path)
    try:
        options, rest = own.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from error
    known = options.folds.isascii() and options.folds.isdigit()
    if not known or not 2 <= int(options.folds) <= _MOST_FOLDS:
        raise ValueError(f"--folds must be a number from 2 to {_MOST_FOLDS}, got {options.folds}")
    for name in ("data.fold", "data.val_share"):
        if any(word.startswith(f"--config.{name}") for word in rest):
            raise ValueError(f"--config.{name} is set by cross-validate; use --folds")
    return int(options.folds), options.workdir or pathlib.Path("runs", "folds"), rest


def _last_metrics(folder: pathlib.Path) -> dict[str, float]:
    """Reads the last evaluation of a run, without values of single classes."""
    from jaxvision.train.record import read_evaluations

    evaluations = read_evaluations(folder / "metrics.jsonl", sys.maxsize)
    for step in sorted(evaluations, reverse=True):
        found = {k: v for k, v in evaluations[step].items() if k.startswith(("val/", "test/"))}
        if found:
            return {k: v for k, v in found.items() if k.count("/") == 1}
    return {}


def summary(runs: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Returns {metric: {"mean", "deviation"}} over the runs that all have it.

    The deviation is that of a sample, divided by the number of runs less one.
    """
    values = list(runs.values())
    names = [name for name in values[0] if all(name in each for each in values)]
    return {
        name: {
            "mean": statistics.fmean(each[name] for each in values),
            "deviation": statistics.stdev(each[name] for each in values),
        }
        for name in names
    }


def _report(found: Mapping[str, Mapping[str, float]], file: pathlib.Path) -> None:
    from jaxvision.data.files import write_whole

    means = summary(found)
    write_whole(file, json.dumps({"folds": found, "summary": means}, indent=2) + "\n")
    for name, values in means.items():
        parts = " ".join(f"{each[name]:.4f}" for each in found.values())
        print(f"{name}: {values['mean']:.4f} ± {values['deviation']:.4f} ({parts})")
    print(f"wrote {file}")
