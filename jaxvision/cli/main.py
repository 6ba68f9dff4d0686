"""Reads the command line of `jaxvision` and runs the subcommand that it names.

jaxvision check-data --source=voc --path=DIR --train=trainval --val=test
"""

import argparse
import sys
from collections.abc import Sequence

from jaxvision.cli import check_data
from jaxvision.data.errors import DataError

# Each has add_parser(subparsers), which sets `run`, a function from the arguments to the exit code.
SUBCOMMANDS = (check_data,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, by default the process's.

    Args:
        arguments: Without the name of the program.

    Returns:
        The exit code: the subcommand's; 2 for what the user has to mend, told in a line on stderr;
        130 for Ctrl-C.

    Raises:
        SystemExit: With 2 if the command line cannot be parsed, with 0 for --help.
    """
    parser = argparse.ArgumentParser(prog="jaxvision", description="Tools around jaxvision.")
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for subcommand in SUBCOMMANDS:
        subcommand.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
