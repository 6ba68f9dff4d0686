"""Shapes and types of a traced program's variables."""

from collections.abc import Sequence
from typing import Any

import jax.export
import numpy as np

from jaxvision.inference.onnx_graph.graph import Batch, Dim, Shape

# Name of the length of the images' first axis.
BATCH = "batch"


def dims(shape: Any) -> Shape:
    """Maps a shape of jax to one whose lengths are integers or multiples of the batch's.

    Raises:
        ValueError: If a length depends on the batch in another way.
    """
    return tuple(_dim(length) for length in shape)


def _dim(length: Any) -> Dim:
    if isinstance(length, (int, np.integer)):
        return int(length)
    (one,) = jax.export.symbolic_shape(BATCH, scope=length.scope)
    times = length // one
    if isinstance(times, int) and length - times * one == 0:
        return Batch(times)
    raise ValueError(f"a shape must be a multiple of the batch's length, got {length}")


def dtype_of(variable: Any) -> np.dtype:
    """Returns numpy's type of a variable; bfloat16 becomes float32."""
    dtype = np.dtype(variable.aval.dtype)
    return dtype if dtype.kind in "biuf" else np.dtype(np.float32)


def described(name: str, shape: Sequence[Dim], dtype: np.dtype) -> Any:
    """Returns what ONNX says of an input or an output."""
    import onnx

    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    lengths = [
        x if isinstance(x, int) else BATCH if x == Batch() else f"{x.times}{BATCH}" for x in shape
    ]
    return onnx.helper.make_tensor_value_info(name, kind, lengths)
