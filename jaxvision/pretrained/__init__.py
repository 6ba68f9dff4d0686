"""Reference checkpoints as our variables and back, one name table a family."""

from jaxvision.pretrained.export import export
from jaxvision.pretrained.load import load
from jaxvision.pretrained.transfer import Transferred, transfer

__all__ = ["Transferred", "export", "load", "transfer"]
