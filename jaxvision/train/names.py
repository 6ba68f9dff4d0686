"""Parameters by name: `backbone/stem/conv/kernel`, chosen by regular expressions."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

import jax


def name_of(path: Sequence[Any]) -> str:
    """Writes a path of `jax.tree_util` as names with slashes."""
    return jax.tree_util.keystr(tuple(path), simple=True, separator="/")


def first_match(params: Any, patterns: Sequence[str], field: str) -> Any:
    """Finds for every parameter the first pattern that matches its whole name.

    Args:
        params: Tree of parameters.
        patterns: Regular expressions.
        field: Where the patterns are from, for messages.

    Returns:
        A tree of indices of `patterns`, -1 where none matches.

    Raises:
        ValueError: If a pattern is not a regular expression or matches no parameter.
    """
    compiled = [_compile(pattern, field) for pattern in patterns]
    paths, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [name_of(path) for path, _ in paths]
    for pattern, expression in zip(patterns, compiled, strict=True):
        if not any(expression.fullmatch(name) for name in names):
            raise ValueError(_nothing_matches(pattern, field, names))

    def index(name: str) -> int:
        return next((i for i, x in enumerate(compiled) if x.fullmatch(name)), -1)

    return jax.tree.unflatten(tree, [index(name) for name in names])


def matching(params: Any, patterns: Sequence[str], field: str) -> Any:
    """Mask of the parameters whose whole name matches one of the patterns; see `first_match`."""
    return jax.tree.map(lambda i: i >= 0, first_match(params, patterns, field))


def without(params: Any, mask: Any) -> Any:
    """Takes the masked leaves out of a tree; None, which is no leaf, takes their place."""
    return jax.tree.map(lambda x, out: None if out else x, params, mask)


def joined(part: Any, whole: Any) -> Any:
    """Fills the places that `without` left empty from a whole tree."""
    return jax.tree.map(
        lambda x, y: y if x is None else x, part, whole, is_leaf=lambda x: x is None
    )


def _compile(pattern: str, field: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{field}: {pattern!r} is not a regular expression: {error}") from error


def _nothing_matches(pattern: str, field: str, names: list[str]) -> str:
    parts = {name.rsplit("/", i)[0] for name in names for i in range(name.count("/") + 1)}
    near = difflib.get_close_matches(pattern.removesuffix("/.*"), sorted(parts), n=1, cutoff=0.5)
    if near:
        # What is near is a parameter or a part of the model.
        hint = f"did you mean {near[0] if near[0] in names else near[0] + '/.*'}?"
    else:
        hint = f"there are {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
    return f"{field}: {pattern!r} matches no parameter, whole names as a/b/kernel count; {hint}"
