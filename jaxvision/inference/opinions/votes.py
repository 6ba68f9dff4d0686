"""Averages of votes with confidence intervals."""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxvision.inference.opinions.sheet import SCORES

# Two-sided 95% quantiles of Student's t by degrees of freedom; beyond them, the last.
_T = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262,
    10: 2.228, 12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980,
}  # fmt: skip


class Opinion(NamedTuple):
    """What people think of a method.

    Attributes:
        method: Its name.
        mean: Mean opinion score, in [1, 5].
        half_width: Of the 95% confidence interval of the mean; nan of a single vote.
        votes: Their number.
    """

    method: str
    mean: float
    half_width: float
    votes: int


def average(key: pathlib.Path, files: Sequence[pathlib.Path]) -> list[Opinion]:
    """Averages what several people voted.

    Args:
        key: As `write_sheet` wrote it.
        files: As the page saved them, one a person.

    Returns:
        The methods, the best first.

    Raises:
        ValueError: If a file is no such file, or of another sheet.
    """
    sheet = _read(key, "pictures")
    scores: dict[str, list[int]] = {}
    for file in files:
        votes = _read(file, "votes")
        if votes.get("sheet") != sheet.get("sheet"):
            raise ValueError(f"{file} is of another sheet than {key}")
        for name, score in votes["votes"].items():
            if name not in sheet["pictures"] or score not in SCORES:
                raise ValueError(f"{file}: expected scores 1 to 5 of the sheet, got {name}={score}")
            scores.setdefault(sheet["pictures"][name]["method"], []).append(score)
    if not scores:
        raise ValueError("expected votes, got none")
    found = [
        Opinion(method, float(np.mean(x)), half_width(x), len(x)) for method, x in scores.items()
    ]
    return sorted(found, key=lambda opinion: -opinion.mean)


def half_width(scores: Sequence[float]) -> float:
    """Returns half of the 95% confidence interval of a mean, by Student's t; nan of one score."""
    count = len(scores)
    if count < 2:
        return math.nan
    quantile = _T[max(degrees for degrees in _T if degrees <= count - 1)]
    return quantile * float(np.std(scores, ddof=1)) / math.sqrt(count)


def _read(file: pathlib.Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is no file of an opinion sheet: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get(name), dict):
        raise ValueError(f"{file} is no file of an opinion sheet: it has no {name}")
    return found
