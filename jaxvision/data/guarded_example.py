"""Turns what a disk does to the reading of one example into an error that names the example."""

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxvision.data.errors import DataError


@dataclasses.dataclass(frozen=True)
class GuardedExample:
    """Calls a stream's `example`; a failing or hanging disk is a `DataError`.

    Attributes:
        example: Maps an example's number and a random generator to one row of a batch.
        name: Names an example by its number.
        seconds: After which reading one is given up; 0 for never. Each is then read by a thread of
            its own, which costs about 0.1 ms; one that hangs stays until its disk answers.
    """

    example: Callable[[int, np.random.Generator], Any]
    name: Callable[[int], str]
    seconds: float = 0.0

    def __call__(self, index: int, rng: np.random.Generator) -> Any:
        """Reads an example.

        Raises:
            DataError: If it has a fault, its file cannot be read, or that takes too long.
        """
        try:
            return self._in_time(index, rng) if self.seconds else self.example(index, rng)
        except DataError:
            raise
        except OSError as error:
            raise DataError(
                f"{self.name(index)}: cannot be read ({error}); is the disk still there?"
            ) from error
        except Exception as error:
            error.add_note(f"while the example {self.name(index)} was read")
            raise

    def _in_time(self, index: int, rng: np.random.Generator) -> Any:
        found: list[Any] = []
        errors: list[BaseException] = []

        def read() -> None:
            try:
                found.append(self.example(index, rng))
            except BaseException as error:  # raised again in the thread that waits
                errors.append(error)

        reader = threading.Thread(target=read, daemon=True, name=f"reads {self.name(index)}")
        reader.start()
        reader.join(self.seconds)
        if errors:
            raise errors[0]
        if not found:
            raise DataError(
                f"{self.name(index)}: reading it takes more than {self.seconds:g} s; is the disk "
                "or the network slow, or gone?"
            )
        return found[0]
