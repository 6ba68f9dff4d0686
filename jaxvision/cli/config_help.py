"""The values of a config with the comments that explain them in the recipes' source."""

import inspect
import itertools
import re
import textwrap
from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict

from jaxvision.recipes import detectors, values
from jaxvision.train.workdir import flatten

# `config.data.path = ""  # comment`, in a function that sets defaults.
_SETTING = re.compile(r"^ +config\.([\w.]+)(?: = .*?|\.update\(.*?)(?:  # (.*))?$")
_COMMENT = re.compile(r"^ +# (.*)$")
_WIDTH = 100


def config_help(config: ConfigDict, recipe: Any) -> str:
    """Lists the values of a config as flags, each with its comment.

    Args:
        config: All values.
        recipe: Module whose source sets and explains them.
    """
    explained = comments(recipe, str(config.get("method", "")))
    lines = []
    for name, value in flatten(config.to_dict()).items():
        flag = (
            f"  --config.{name}={value!r}"
            if isinstance(value, str)
            else f"  --config.{name}={value}"
        )
        lines.append(flag)
        if text := explained.get(name):
            lines += textwrap.wrap(text, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "\n".join(lines)


def comments(recipe: Any, method: str = "") -> dict[str, str]:
    """Returns what the source of a recipe says of each value, by its name with dots.

    Args:
        recipe: The module.
        method: Of detection, whose own values are set apart from the recipe's; "" for none.
    """
    sources = sources_of(recipe)
    if method:
        sources += settings(detectors.detector(method).defaults)
    found: dict[str, str] = {}
    for source in sources:
        found |= _comments(inspect.getsource(source))
    return found


def sources_of(recipe: Any) -> list[Any]:
    """Lists the modules that set a recipe's values, each before those that change its values."""
    shared = re.findall(r"config = (\w+)\.defaults\(\)", inspect.getsource(recipe.defaults))
    below = [sources_of(getattr(recipe, name)) for name in shared] or [[values]]
    return [*itertools.chain.from_iterable(below), recipe]


def settings(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Lists a function that sets values, behind those of its module that it calls to set some."""
    module = inspect.getmodule(function)
    called = re.findall(r"^ +(_\w+)\(config\)$", inspect.getsource(function), re.MULTILINE)
    inner = [settings(getattr(module, name)) for name in called]
    return [*itertools.chain.from_iterable(inner), function]


def _comments(source: str) -> dict[str, str]:
    """Finds the comment at the end of each setting's line, or in the lines above it."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in source.splitlines():
        if comment := _COMMENT.match(line):
            above.append(comment[1])
            continue
        setting = _SETTING.match(line)
        if setting and (setting[2] or above):
            found[setting[1]] = setting[2] or " ".join(above)
        above = []
    return found
