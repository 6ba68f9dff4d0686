"""Choosing between forms of a computation by the platform that it runs on.

A layer that is written in another form for CPUs lowers both, and the platform decides. A program
that is written to a file for other runtimes has one form of each: the plain one, an operation that
every runtime knows.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

# Part of the keys of jax's caches: what was traced in one setting is not taken in another.
_PLAIN = jax.make_user_context(default_value=False)


@contextlib.contextmanager
def plain_forms() -> Iterator[None]:
    """Traces layers in their plain forms, for programs that other runtimes read."""
    with _PLAIN(True):
        yield


def by_platform(
    *operands: jax.Array,
    cpu: Callable[..., jax.Array],
    default: Callable[..., jax.Array],
) -> jax.Array:
    """Computes one of two forms of the same function.

    Args:
        *operands: Arguments of both.
        cpu: The form for CPUs.
        default: The plain form, for all other platforms and under `plain_forms`.
    """
    if _PLAIN.value:
        return default(*operands)
    found: Any = jax.lax.platform_dependent(*operands, cpu=cpu, default=default)
    return found
