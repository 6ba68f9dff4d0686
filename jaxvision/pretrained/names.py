"""Name tables: rows of data that turn a path of ours into a reference's name.

A row is (ours, theirs), applied to the path as a substitution, one after the other. `ours` is a
regular expression in which `{block}` stands for a number and `{part:conv|norm}` for what matches
behind the colon; `theirs` repeats them, with arithmetic where counts start elsewhere:

    ("^stage{stage}_block{block}/", "layer{stage-1}/{block-1}/")
    ("^merge{stage}/", "features/{2*stage-2}/")

Only this direction is ever computed, for the paths of a model's variables: loading looks up the
tensor of each variable and exporting writes each variable under that name.
"""

import functools
import re
from collections.abc import Sequence

Rules = Sequence[tuple[str, str]]

# How PyTorch calls the last part of a path.
TORCH_LEAVES: Rules = (("/(?:kernel|scale)$", "/weight"), ("/{part:mean|var}$", "/running_{part}"))


def rename(path: str, rules: Rules) -> str:
    """Applies the rows of a table to a path, in their order.

    Args:
        path: Such as `backbone/stem/conv/kernel`.
        rules: Rows (ours, theirs).

    Returns:
        The path with the reference's words.
    """
    for ours, theirs in rules:
        path = _pattern(ours).sub(functools.partial(_fill, theirs), path)
    return path


@functools.cache
def _pattern(ours: str) -> re.Pattern[str]:
    def group(field: re.Match[str]) -> str:
        return f"(?P<{field[1]}>{field[2] or '[0-9]+'})"

    return re.compile(re.sub(r"\{([a-z]+)(?::([^{}]+))?\}", group, ours))


def _fill(theirs: str, match: re.Match[str]) -> str:
    def value(field: re.Match[str]) -> str:
        factor, name, offset = field.groups()
        if factor is None and offset is None:
            return match[name]
        return str(int(factor or 1) * int(match[name]) + int(offset or 0))

    return re.sub(r"\{(?:(\d+)\*)?([a-z]+)([+-]\d+)?\}", value, theirs)
