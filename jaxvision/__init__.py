"""jaxvision: vision and transformer models in JAX, each equal to its reference implementation."""

__version__ = "0.1.0"
