"""The one exception for faults that lie in the user's data, and what to do with it."""

from collections.abc import Callable
from typing import NoReturn


class DataError(ValueError):
    """An error in a dataset that its owner can correct.

    The message names the file and the field, what was expected, what came and what to do about it,
    so that it can be shown as it is, without a traceback.

    Attributes:
        code: What kind of error it is, for programs: `missing-image`, ...; empty where no program
            needs to know.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


# A reader calls such a function with each error after which it can go on. If the function raises,
# reading ends; if it returns, the faulty part is dropped.
OnFault = Callable[[DataError], None]


def stop(fault: DataError) -> NoReturn:
    """Raises the error: the default of readers."""
    raise fault
