"""An ONNX graph in float16 or INT8: the network's layers, but not the decoding after them.

Corners of boxes in pixels, and scores near to each other, need float32.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxvision.data.extras import library
from jaxvision.inference.onnx_runtime import ERRORS_ALONE

# Operations that have weights.
_WEIGHTED = ("Conv", "MatMul", "Gemm")


def half(model: Any) -> Any:
    """Returns a model whose layers compute in float16, with inputs and outputs as before."""
    float16 = library("onnxruntime.transformers.float16", "export")
    return float16.convert_float_to_float16(
        model, keep_io_types=True, node_block_list=_after_layers(model)
    )


def quantised(model: Any, name: str, images: Sequence[np.ndarray], beside: Path) -> Any:
    """Returns a model whose convolutions and products compute in INT8.

    Weights have a scale for each channel; those of activations are their ranges on the images, and
    symmetric, as TensorRT needs it.

    Args:
        model: In float32.
        name: Of its input.
        images: Batches of one prepared image.
        beside: Files that are needed on the way are written into a new folder beside it.
    """
    onnx = library("onnx", "export")
    quantization = library("onnxruntime.quantization", "export")

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {name: image}

    with tempfile.TemporaryDirectory(dir=beside.parent) as folder:
        prepared, written = f"{folder}/prepared.onnx", f"{folder}/int8.onnx"
        _simplify(model, prepared)
        quantization.quantize_static(
            prepared,
            written,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(_WEIGHTED),
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            # The last layers, too: 256 values are few for corners in pixels.
            nodes_to_exclude=_after_layers(onnx.load(prepared), last=True),
            # The second: onnxruntime 1.32 fails at products with a scale for each channel.
            extra_options={
                "ActivationSymmetric": True,
                "QDQDisableWeightAdjustForInt32Bias": True,
            },
        )
        return onnx.load(written)


def _simplify(model: Any, file: str) -> None:
    """Writes a model in which factors and shifts of normalisation are part of convolutions."""
    ort = library("onnxruntime", "export")
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = file
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    onnx = library("onnx", "export")
    simple = onnx.load(file)
    # Else the quantisation warns that this step is missing.
    onnx.helper.set_model_props(simple, {"onnx.quant.pre_process": "onnxruntime.quant"})
    onnx.save(simple, file)


def _after_layers(model: Any, *, last: bool = False) -> list[str]:
    """Lists the nodes whose results reach no layer with weights.

    Args:
        model: To look through.
        last: Whether layers that no other follows count among them.
    """
    constants = {x.name for x in model.graph.initializer}
    wanted: set[str] = set()
    after = []
    for node in reversed(model.graph.node):
        weighted = node.op_type in _WEIGHTED and any(x in constants for x in node.input)
        before = not wanted.isdisjoint(node.output)
        if weighted or before:
            wanted |= set(node.input)
        if not before and (last or not weighted):
            after.append(node.name)
    return after
