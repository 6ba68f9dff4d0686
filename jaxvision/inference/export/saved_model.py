"""TensorFlow's SavedModel, by `jax2tf`, where TensorFlow is installed."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from jaxvision.data.extras import library
from jaxvision.inference.export.agreement import TOLERANCES, compare
from jaxvision.inference.export.options import Options
from jaxvision.layers.platforms import plain_forms

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor


def write_saved_model(predictor: "Predictor", folder: Path, options: Options) -> str:
    """Writes a SavedModel into a folder; see `write.export`."""
    tf = library("tensorflow", "tf")
    jax2tf = library("jax.experimental.jax2tf", "tf")
    program = predictor.served(nms=options.nms)
    variables = jax.device_get(predictor.variables)
    (example,) = program.inputs(1)
    shape = [None, *example.shape[1:]]
    module = tf.Module()
    with plain_forms():
        function = jax2tf.convert(
            lambda x: program.apply(variables, x),
            polymorphic_shapes=[f"(batch, {', '.join(map(str, example.shape[1:]))})"],
            with_gradient=False,
        )
        module.f = tf.function(
            function,
            autograph=False,
            input_signature=[tf.TensorSpec(shape, example.dtype, name="image")],
        )
        temporary = folder.with_name(f".{folder.name}.tmp")
        try:
            tf.saved_model.save(module, str(temporary))
            read = tf.saved_model.load(str(temporary))
            agreement = compare(
                lambda x: {name: np.asarray(y) for name, y in read.f(tf.constant(x)).items()},
                program,
                variables,
                TOLERANCES["float32"],
            )
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return agreement
