"""What a predictor computes, to be counted, timed and exported."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Program(NamedTuple):
    """What a predictor computes for a batch.

    Attributes:
        apply: Maps variables and inputs to predictions.
        inputs: Maps a number of examples to the inputs.
        what: What an input is.
    """

    apply: Callable[..., Any]
    inputs: Callable[[int], tuple[np.ndarray, ...]]
    what: str
