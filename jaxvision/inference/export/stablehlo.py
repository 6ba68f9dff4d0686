"""StableHLO: XLA's own form of a program, which JAX runs without the code that wrote it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.export
import numpy as np

from jaxvision.data.extras import library
from jaxvision.inference.export.agreement import TOLERANCES, compare
from jaxvision.inference.export.options import Options
from jaxvision.layers.platforms import plain_forms

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write_stablehlo(predictor: "Predictor", file: Path, options: Options) -> str:
    """Writes the bytes that `jax.export.deserialize` reads; see `write.export`."""
    library("flatbuffers", "export")
    program = predictor.served(nms=options.nms)
    variables = jax.device_get(predictor.variables)
    (example,) = program.inputs(1)
    (batch,) = jax.export.symbolic_shape("batch")
    given = jax.ShapeDtypeStruct((batch, *example.shape[1:]), example.dtype)
    with plain_forms():
        exported = jax.export.export(
            jax.jit(lambda x: program.apply(variables, x)), platforms=_PLATFORMS
        )(given)
        file.write_bytes(exported.serialize())
    read = jax.export.deserialize(bytearray(file.read_bytes()))
    run: Any = read.call
    return compare(
        lambda x: {name: np.asarray(y) for name, y in run(x).items()},
        program,
        variables,
        TOLERANCES["float32"],
    )
