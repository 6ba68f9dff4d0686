"""Networks only, arrays in, arrays out: the catalogue.

For example:
    model = models.yolox("yolox_s", num_classes=80)
    variables = model.init(jax.random.key(0), images, train=False)
    predictions = model.apply(variables, images, train=False)
"""

from jaxvision.models.detection import yolox as _yolox
from jaxvision.models.detection.yolox import yolox

__all__ = ["variants", "yolox"]


def variants() -> tuple[str, ...]:
    """Names of all models, in the order of the catalogue."""
    return (*_yolox.VARIANTS,)
