"""`python -m jaxvision`: the `jaxvision` command."""

import sys

from jaxvision.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
