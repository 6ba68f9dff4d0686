"""The `jaxvision` command: what there is to do besides training.

jaxvision pack --source=coco --path=DIR --split=train2017 --out=DIR2

`jaxvision --help` lists the commands, `jaxvision pack --help` what one takes.
"""

import argparse
import sys
from collections.abc import Sequence

from jaxvision.cli import pack

# Each has `add_parser(subparsers)`, which sets `run`, a function of the arguments that returns the
# exit code.
COMMANDS = (pack,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, `sys.argv` by default; returns the exit code."""
    parser = argparse.ArgumentParser(prog="jaxvision", description=(__doc__ or "").split("\n")[0])
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130  # what a shell reports of a process that Ctrl-C ended
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
