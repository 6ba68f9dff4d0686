"""ONNX: a graph that onnxruntime, OpenVINO, TensorRT and many others run.

The input is `image`, a batch [B, H, W, 3] uint8 of any length, as an evaluation prepares images;
normalisation and decoding belong to the graph. That of a generator is `noise` [B, latent] float32.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxvision.data.extras import library
from jaxvision.inference.export import lower_precision
from jaxvision.inference.export.agreement import TOLERANCES, compare
from jaxvision.inference.export.calibration import agreement_on, read_pictures
from jaxvision.inference.export.options import Options
from jaxvision.inference.onnx_graph.convert import convert
from jaxvision.inference.onnx_runtime import INPUT, session
from jaxvision.train.package import KEY, described

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor

# Names of the input of a generator, and of a model of text.
NOISE, TOKENS = "noise", "tokens"


def write_onnx(predictor: "Predictor", file: Path, options: Options) -> str:
    """Writes an ONNX file; see `write.export`."""
    library("onnxruntime", "export")
    onnx = library("onnx", "export")
    # Read at first: pictures that are not there should not be found missing after minutes.
    shown = read_pictures(predictor, options.pictures) if options.pictures else []
    program = predictor.served(nms=options.nms)
    variables = jax.device_get(predictor.variables)
    (example,) = program.inputs(1)
    name = {np.dtype(np.uint8): INPUT, np.dtype(np.int32): TOKENS}.get(example.dtype, NOISE)
    model = convert(
        lambda x: program.apply(variables, x), example.shape[1:], example.dtype, name=name
    )
    if options.precision == "float16":
        model = lower_precision.half(model)
    if options.precision == "int8":
        model = lower_precision.quantised(model, INPUT, shown, file)
    meta: dict[str, Any] = {"nms": options.nms, "precision": options.precision}
    if predictor.origin is not None:
        meta |= described(predictor.origin.meta(), predictor.origin.step)
    onnx.helper.set_model_props(model, {KEY: json.dumps(meta, ensure_ascii=False)})
    file.write_bytes(model.SerializeToString())
    run = session(file)
    if options.precision == "int8":
        return agreement_on(shown, run, jax.jit(program.apply), variables)
    return compare(run, program, variables, TOLERANCES[options.precision])
