"""Which cases of a test run every time."""

from collections.abc import Iterable
from typing import Any

import pytest


def quick(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """Marks as slow all cases but the chosen, which go through every path of the code.

    Args:
        cases: Values for `pytest.mark.parametrize` or `pytest.fixture(params=...)`. New ones are
            slow.
        *chosen: Those that also run without `-m slow`.

    Raises:
        ValueError: If a chosen one is not a case.
    """
    cases = list(cases)
    if unknown := [case for case in chosen if case not in cases]:
        raise ValueError(f"chosen cases must be of {cases}, got {unknown}")
    return [x if x in chosen else pytest.param(x, marks=pytest.mark.slow) for x in cases]
