"""jaxvision: vision and transformer models in JAX, each equal to its reference implementation.

predictor = jaxvision.load("runs/yolox")
found = predictor("image.jpg")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxvision.inference.load import load

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name: str) -> Any:
    # When it is first used: `import jaxvision.models` must not wait for data and plots.
    if name == "load":
        return importlib.import_module("jaxvision.inference.load").load
    raise AttributeError(f"module 'jaxvision' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "load"])
