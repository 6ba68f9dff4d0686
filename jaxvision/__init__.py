"""jaxvision: vision and transformer models in JAX, each equal to its reference implementation.

predictor = jaxvision.load("runs/yolox")
found = predictor("image.jpg")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxvision import models, pretrained
    from jaxvision.inference.classifier import Classifier
    from jaxvision.inference.detector import Detector
    from jaxvision.inference.load import load
    from jaxvision.inference.segmenter import Segmenter
    from jaxvision.inference.translator import Translator

__version__ = "0.1.0"
__all__ = ["Classifier", "Detector", "Segmenter", "Translator", "load", "models", "pretrained"]

# Module of each name; a package stands for itself.
_MODULES = {
    "Classifier": "jaxvision.inference.classifier",
    "Detector": "jaxvision.inference.detector",
    "Segmenter": "jaxvision.inference.segmenter",
    "Translator": "jaxvision.inference.translator",
    "load": "jaxvision.inference.load",
    "models": "",
    "pretrained": "",
}


def __getattr__(name: str) -> Any:
    # When it is first used: `import jaxvision.models` must not wait for data and plots.
    if name not in _MODULES:
        raise AttributeError(f"module 'jaxvision' has no attribute {name!r}")
    if not _MODULES[name]:
        return importlib.import_module(f"jaxvision.{name}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
