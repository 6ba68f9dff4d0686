"""The one exception for faults that lie in the user's data, and what to do with it."""

from collections.abc import Callable
from typing import NoReturn


class DataError(ValueError):
    """A fault in a dataset that its owner can mend.

    The message names the file and the field, what was expected, what came and what to do about it,
    so that it can be shown as it stands, without a traceback.

    Attributes:
        code: What kind of fault it is, for programs: `missing-image`, ...; empty where none has to
            tell it from others.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


# A reader hands every fault that it can read on past to such a function: one that raises ends it
# at the first, one that returns makes it leave the faulty part out and go on.
OnFault = Callable[[DataError], None]


def stop(fault: DataError) -> NoReturn:
    """Raises the fault: what a reader does by default."""
    raise fault
