"""The `jaxvision` command.

jaxvision train --config=my_config.py
jaxvision check-data --source=voc --path=DIR --train=trainval --val=test
jaxvision pack --source=coco --path=DIR --split=train2017 --out=DIR2
jaxvision translate --workdir=runs/transformer_multi30k --input=test.en --output=test.de

`jaxvision --help` lists the commands, `jaxvision pack --help` the flags of one.
"""

import argparse
import sys
from collections.abc import Sequence

from jaxvision.cli import check_data, pack, train, translate
from jaxvision.cli.huge_pages import restart_with_huge_pages

# Each has add_parser(subparsers), which sets `run`, a function from the arguments to the exit code.
SUBCOMMANDS = (train, check_data, pack, translate)


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
    own = arguments is None
    arguments = sys.argv[1:] if own else arguments
    if arguments[:1] == ["train"]:
        if own:
            restart_with_huge_pages()
        # Its flags are the values of its config, which argparse does not know.
        return train.main([train.NAME, *arguments[1:]])
    parser = argparse.ArgumentParser(
        prog="jaxvision", description="Trains and applies vision and translation models."
    )
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for subcommand in SUBCOMMANDS:
        subcommand.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
