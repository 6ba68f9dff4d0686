"""From a function of jax to an ONNX model."""
