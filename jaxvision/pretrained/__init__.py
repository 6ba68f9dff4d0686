"""Reference checkpoints as our variables, one name table a family."""

from jaxvision.pretrained.load import load

__all__ = ["load"]
