"""ResNet weights of torchvision and timm, and the SENet authors' as timm keeps them."""

import re
from collections.abc import Mapping

import numpy as np

from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.backbones.resnet import VARIANTS, resnet_classifier

NAMES = VARIANTS

# Our name on the left, torchvision's on the right, applied in this order.
_TABLE = (
    (r"^backbone/", ""),
    (r"^stem/conv/", "conv1/"),
    (r"^stem/norm/", "bn1/"),
    (r"^stage(\d)_block(\d+)/", lambda m: f"layer{int(m[1]) - 1}/{int(m[2]) - 1}/"),
    (r"/(?:reduce|spatial1)/(conv|norm)/", r"/\g<1>1/"),
    (r"/(?:spatial|spatial2)/(conv|norm)/", r"/\g<1>2/"),
    (r"/expand/(conv|norm)/", r"/\g<1>3/"),
    (r"/norm(\d)/", r"/bn\1/"),
    (r"/shortcut/conv/", "/downsample/0/"),
    (r"/shortcut/norm/", "/downsample/1/"),
    (r"/se/reduce/", "/se/fc1/"),
    (r"/se/expand/", "/se/fc2/"),
    (r"^head/", "fc/"),
    (r"/(kernel|scale)$", "/weight"),
    (r"/(mean|var)$", r"/running_\1"),
)
# The SENet authors' names of the same tensors.
_LEGACY = ((r"^layer0\.", ""), (r"\.se_module\.", ".se."), (r"^last_linear\.", "fc."))


def build(name: str, state: Mapping[str, np.ndarray]) -> PooledClassifier:
    """Builds the variant with as many classes as the weights have, at the strides they need."""
    overrides = {}
    if name.startswith("seresnet") and "conv1.weight" in state:
        # timm trained SE-ResNet anew on torchvision's ResNet.
        overrides = dict(stride_in_1x1=False, ceil_pool=False)
    bias = canonical(name, state).get("fc.bias")
    num_classes = 1000 if bias is None else len(bias)
    return resnet_classifier(name, num_classes=num_classes, **overrides)


def canonical(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives the SENet authors' tensors the names that timm's SE-ResNet has for them."""
    renamed = {}
    for key, value in state.items():
        for pattern, replacement in _LEGACY:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem/conv/kernel`, to the reference's name of it."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
