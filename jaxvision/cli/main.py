"""The `jaxvision` command.

jaxvision train --config=my_config.py
jaxvision cross-validate --folds=5 --config=my_config.py
jaxvision check-data --source=voc --path=DIR --train=trainval --val=test
jaxvision labelme photos/ --out=DIR
jaxvision pack --source=coco --path=DIR --split=train2017 --out=DIR2
jaxvision predict runs/yolox photos/ --out=found
jaxvision demo runs/yolox
jaxvision evaluate runs/yolox --split=test
jaxvision info runs/yolox
jaxvision bench yolox_s
jaxvision export runs/yolox --out=yolox.onnx
jaxvision download resnet50
jaxvision push runs/yolox owner/name
jaxvision opinions make bicubic/ srgan/ --out=sheet.html
jaxvision doctor

`jaxvision --help` lists the commands, `jaxvision pack --help` the flags of one.
"""

import argparse
import sys
from collections.abc import Sequence

from jaxvision import __version__
from jaxvision.cli import (
    bench,
    check_data,
    completion,
    cross_validate,
    demo,
    doctor,
    download,
    evaluate,
    export,
    info,
    labelme,
    opinions,
    pack,
    predict,
    push,
    train,
)
from jaxvision.cli.huge_pages import restart_with_huge_pages
from jaxvision.cli.process import leave, take_interrupts
from jaxvision.cli.run import print_any_name

# Each has add_parser(subparsers), which sets `run`, a function from the arguments to the exit code.
SUBCOMMANDS = (
    train,
    cross_validate,
    predict,
    demo,
    evaluate,
    export,
    info,
    bench,
    check_data,
    labelme,
    opinions,
    pack,
    download,
    push,
    doctor,
    completion,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, by default the process's.

    Args:
        arguments: Without the name of the program.

    Returns:
        The exit code: the subcommand's; 2 for an error of the user, which is printed as one line on
        stderr; 130 for Ctrl-C, as a shell reports it.

    Raises:
        SystemExit: With 2 if the command line cannot be parsed, with 0 for --help.
    """
    print_any_name()
    own = arguments is None
    arguments = sys.argv[1:] if own else arguments
    training = {"train": train, "cross-validate": cross_validate}
    if arguments[:1] and (command := training.get(arguments[0])):
        if own:
            take_interrupts()
            restart_with_huge_pages()
        # Its flags are the values of its config, which argparse does not know.
        code = command.main([command.NAME, *arguments[1:]])
        if own:
            leave(code)
        return code
    commands = parser()
    options, rest = commands.parse_known_args(arguments)
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(options, "inputs")):
        commands.error(f"unrecognized arguments: {' '.join(rest)}")
    # argparse takes all inputs from one place; they may also stand between and after the flags.
    if rest:
        options.inputs += rest
    try:
        return options.run(options)
    # ImportError: an extra that is not installed.
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Builds the parser of all commands."""
    made = argparse.ArgumentParser(
        prog="jaxvision", description="Trains and applies vision and translation models."
    )
    made.add_argument("--version", action="version", version=f"jaxvision {__version__}")
    subparsers = made.add_subparsers(metavar="command", required=True)
    for subcommand in SUBCOMMANDS:
        subcommand.add_parser(subparsers)
    return made


if __name__ == "__main__":
    sys.exit(main())
