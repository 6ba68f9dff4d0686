"""Weights of Conv4 as in Snell's code, and of Koch's network by the names of its layers."""

from flax import linen as nn

from jaxvision.models.embedding import conv4, siamese
from jaxvision.pretrained.family import Family, Source, Weights, clips
from jaxvision.pretrained.layout import flattened
from jaxvision.pretrained.names import TORCH_LEAVES

SNELL = Source(
    "snell",
    (
        ("^block{block}_conv/", "encoder/{block-1}/0/"),
        ("^block{block}_norm/", "encoder/{block-1}/1/"),
        *TORCH_LEAVES,
    ),
)
KOCH = Source(
    "pytorch",
    (("^dense/", "embed/"), *TORCH_LEAVES),
    layouts=(("dense/kernel", flattened(side=6)),),
)


def _grey(weights: Weights) -> int:
    return 1


def _conv4(name: str, weights: Weights) -> nn.Module:
    return conv4.conv4(name)


def _siamese(name: str, weights: Weights) -> nn.Module:
    return siamese.siamese(name)


FAMILIES = (
    Family(tuple(conv4.VARIANTS), lambda name: (SNELL,), _conv4, image_side=28, channels=_grey),
    # Its input is a pair of images.
    Family(
        tuple(siamese.VARIANTS),
        lambda name: (KOCH,),
        _siamese,
        image_side=105,
        channels=_grey,
        inputs=clips(2),
    ),
)
