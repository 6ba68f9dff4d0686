"""Darknet-53 and CSPDarknet53 of timm, https://github.com/huggingface/pytorch-image-models."""

import functools
import re
from collections.abc import Mapping

import numpy as np
from flax import linen as nn

from jaxvision.models.backbones import csp_darknet53, darknet

NAMES = (*darknet.VARIANTS, *csp_darknet53.VARIANTS)
NEGATIVE_SLOPE = 0.01

# Our name on the left, theirs on the right, applied in this order.
_TABLE = (
    (r"/norm/(mean|var)$", r"/bn/running_\1"),
    (r"/norm/scale$", "/bn/weight"),
    (r"/norm/bias$", "/bn/bias"),
    (r"/kernel$", "/weight"),
    (r"^head/", "head/fc/"),
    (r"^backbone/stem/", "stem/conv1/"),
    (r"^backbone/stage(\d)[_/]", lambda m: f"stages/{int(m[1]) - 1}/"),
    (r"/block(\d)/", lambda m: f"/blocks/{int(m[1]) - 1}/"),
    (r"/reduce/", "/conv1/"),
    (r"/spatial/", "/conv2/"),
    (r"/downsample/", "/conv_down/"),
    (r"/split/", "/conv_exp/"),
    (r"/main/", "/conv_transition_b/"),
    (r"/fuse/", "/conv_transition/"),
)


def build(name: str, state: Mapping[str, np.ndarray]) -> nn.Module:
    """Builds the classifier with as many classes as the weights have.

    timm trained with PyTorch's default slope of leaky ReLU, 0.01 where the authors have 0.1, so the
    model differs in that from `models.classifier(name)`.
    """
    bias = state.get("head.fc.bias")
    num_classes = 1000 if bias is None else len(bias)
    if name in csp_darknet53.VARIANTS:
        act = functools.partial(nn.leaky_relu, negative_slope=NEGATIVE_SLOPE)
        return csp_darknet53.csp_darknet53_classifier(name, num_classes=num_classes, act=act)
    return darknet.darknet_classifier(name, num_classes=num_classes, negative_slope=NEGATIVE_SLOPE)


def reference_name(name: str, path: str) -> str:
    """Translates a variable's path, `backbone/stem/conv/kernel`, to timm's name of it."""
    for pattern, replacement in _TABLE:
        path = re.sub(pattern, replacement, path)
    return path.replace("/", ".")
