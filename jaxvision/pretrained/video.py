"""Weights of torchvision's video networks, and of C3D by the names of its layers."""

from flax import linen as nn

from jaxvision.models.video import c3d, resnet
from jaxvision.pretrained.family import Family, Source, Weights, clips
from jaxvision.pretrained.layout import flattened
from jaxvision.pretrained.names import TORCH_LEAVES

TORCHVISION = Source(
    "torchvision",
    (
        ("^backbone/", ""),
        ("^stem/spatial/conv/", "stem/0/"),
        ("^stem/spatial/norm/", "stem/1/"),
        ("^stem/temporal/conv/", "stem/3/"),
        ("^stem/temporal/norm/", "stem/4/"),
        ("^stem/conv/", "stem/0/"),
        ("^stem/norm/", "stem/1/"),
        ("^stage{stage}_block{block}/", "layer{stage}/{block-1}/"),
        ("/unit{unit}/spatial/conv/", "/conv{unit}/0/0/"),
        ("/unit{unit}/spatial/norm/", "/conv{unit}/0/1/"),
        ("/unit{unit}/temporal/conv/", "/conv{unit}/0/3/"),
        ("/unit{unit}/temporal/norm/", "/conv{unit}/1/"),
        ("/unit{unit}/conv/", "/conv{unit}/0/"),
        ("/unit{unit}/norm/", "/conv{unit}/1/"),
        ("/shortcut/conv/", "/downsample/0/"),
        ("/shortcut/norm/", "/downsample/1/"),
        ("^head/", "fc/"),
        *TORCH_LEAVES,
    ),
)
C3D = Source(
    "pytorch",
    (("^backbone/", ""), *TORCH_LEAVES),
    layouts=(("fc6/kernel", flattened(side=4)),),
)


def _build_resnet(name: str, weights: Weights) -> nn.Module:
    return resnet.clip_resnet_classifier(name, num_classes=weights.size("head/bias", 400))


def _build_c3d(name: str, weights: Weights) -> nn.Module:
    return c3d.c3d_classifier(name, num_classes=weights.size("fc8/bias", 101))


FAMILIES = (
    Family(
        tuple(resnet.VARIANTS),
        lambda name: (TORCHVISION,),
        _build_resnet,
        image_side=16,
        inputs=clips(2),
    ),
    Family(tuple(c3d.VARIANTS), lambda name: (C3D,), _build_c3d, image_side=112, inputs=clips(16)),
)
