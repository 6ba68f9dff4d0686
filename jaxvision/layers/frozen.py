"""Normalisation of frozen modules: it uses its running statistics, and they stay as they are.

A network that is partly frozen is still called with `train=True`. Batch statistics in its frozen
part would change what the frozen parameters compute, and their running averages would drift.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
from flax import linen as nn

from jaxvision.layers.batch_norm import BatchNorm


@contextlib.contextmanager
def frozen_norms(params: Any, frozen: Any) -> Iterator[None]:
    """Runs every `BatchNorm` whose parameters are all frozen as in evaluation.

    A module is called with a part of the parameters where several models are one task's, so its
    own path is not the whole name of its parameters. It is recognised by the arrays themselves or,
    where a transform such as `nn.remat` has replaced those, by the end of the name.

    Args:
        params: All parameters, the arrays that the modules are called with.
        frozen: Tree of the same structure, True for those that are frozen.

    Raises:
        ValueError: If modules of one name are frozen and not frozen, and the arrays do not tell
            them apart.
    """
    norms = _modules(params, frozen)
    by_array = {id(array): rests for _, arrays, rests in norms for array in arrays}

    def rests(module: BatchNorm) -> bool:
        if module.scope is None or not module.scope.has_variable("params", "scale"):
            return False
        array = module.get_variable("params", "scale")
        if id(array) in by_array:
            return by_array[id(array)]
        path = module.path
        found = {rests for names, _, rests in norms if names[len(names) - len(path) :] == path}
        if len(found) > 1:
            raise ValueError(
                f"freeze: modules named {'/'.join(path)} are frozen in one model and not in "
                "another; give them different names, or freeze both"
            )
        return found == {True}

    def intercept(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module = context.module
        if (
            isinstance(module, BatchNorm)
            and context.method_name == "__call__"
            and kwargs.get("train")
            and rests(module)
        ):
            kwargs = {**kwargs, "train": False}
        return call(*args, **kwargs)

    with nn.intercept_methods(intercept):
        yield


def _modules(params: Any, frozen: Any) -> list[tuple[tuple[str, ...], list[Any], bool]]:
    """Lists modules that have parameters of their own: path, arrays, whether all are frozen."""
    found: dict[tuple[str, ...], list[tuple[Any, bool]]] = {}
    flags = jax.tree.leaves(frozen)
    for (path, array), rests in zip(
        jax.tree_util.tree_flatten_with_path(params)[0], flags, strict=True
    ):
        found.setdefault(_names(path)[:-1], []).append((array, rests))
    return [
        (names, [array for array, _ in members], all(rests for _, rests in members))
        for names, members in found.items()
    ]


def _names(path: Any) -> tuple[str, ...]:
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in path)
