"""Reference checkpoints as our variables, one name table a family."""

from jaxvision.pretrained.load import load
from jaxvision.pretrained.transfer import transfer

__all__ = ["load", "transfer"]
