"""Ranges of options, checked where they are used."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any


def check(options: Any, interval: str, *names: str) -> None:
    """Checks that options are numbers of an interval.

    Args:
        options: An object, a mapping, or a config, where names may have dots. An option may be
            several numbers, each of which is checked.
        interval: As papers write it: `[0, 1]`, or `(0, 1]` without the 0; `inf` for no bound.
            Nothing holds NaN, and `inf` itself belongs to no interval.
        *names: Of the options.

    Raises:
        ValueError: If one is not a number or is outside; the message names it.
    """
    lowest, highest = interval[1:-1].split(",")
    low, high = float(lowest), float(highest)
    for name in names:
        value = _value(options, name)
        several = hasattr(value, "__iter__") and not isinstance(value, str)
        each = tuple(value) if several else (value,)
        if not all(_inside(number, interval, low, high) for number in each):
            words = _words(interval, lowest, highest)
            if any(number in (math.inf, -math.inf) for number in each) and "finite" not in words:
                words += " and finite"
            raise ValueError(f"{_full(options, name)} must be {words}, got {value}")


def check_pair(options: Any, interval: str, *names: str) -> None:
    """Checks that options are two numbers of an interval, the lower one first.

    Args:
        options: As for `check`.
        interval: As for `check`.
        *names: As for `check`.

    Raises:
        ValueError: If one is anything else; the message names it.
    """
    for name in names:
        pair, full = _value(options, name), _full(options, name)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"{full} must be two numbers, low and high, got {pair}")
        check(options, interval, name)
        if pair[0] > pair[1]:
            raise ValueError(f"{full} must be two numbers, low <= high, got {pair}")


def _value(options: Any, name: str) -> Any:
    if isinstance(options, Mapping):
        return options[name]
    return functools.reduce(getattr, name.split("."), options)


def _full(options: Any, name: str) -> str:
    """Names a field with its class, as many classes have a `probability`."""
    return f"{type(options).__name__}.{name}" if dataclasses.is_dataclass(options) else name


def _inside(number: Any, interval: str, low: float, high: float) -> bool:
    try:
        return (
            math.isfinite(number)
            and (low <= number if interval[0] == "[" else low < number)
            and (number <= high if interval[-1] == "]" else number < high)
        )
    except (TypeError, OverflowError):  # not a number, or an integer beyond floats
        return False


def _words(interval: str, lowest: str, highest: str) -> str:
    if highest.strip() != "inf":
        return f"in {interval}"
    if lowest.strip() == "-inf":
        return "a finite number"
    return f"at least {lowest}" if interval[0] == "[" else f"above {lowest}"
