"""Libraries that only an extra of the package installs."""

import importlib
from typing import Any


def library(module: str, extra: str) -> Any:
    """Imports a library when it is needed.

    Args:
        module: Its name, as `tokenizers`.
        extra: Name of the extra that installs it.

    Raises:
        ImportError: If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module.partition('.')[0]} is not installed, it needs an extra: "
            f"pip install 'jaxvision[{extra}]'"
        ) from error
