"""Darknet-53 and CSPDarknet53 of timm, https://github.com/huggingface/pytorch-image-models."""

import functools

from flax import linen as nn

from jaxvision.models.backbones import csp_darknet53, darknet
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import TORCH_LEAVES

NEGATIVE_SLOPE = 0.01

TIMM = Source(
    "timm",
    (
        ("/norm/", "/bn/"),
        ("^head/", "head/fc/"),
        ("^backbone/stem/", "stem/conv1/"),
        ("^backbone/stage{stage}[_/]", "stages/{stage-1}/"),
        ("/block{block}/", "/blocks/{block-1}/"),
        ("/reduce/", "/conv1/"),
        ("/spatial/", "/conv2/"),
        ("/downsample/", "/conv_down/"),
        ("/split/", "/conv_exp/"),
        ("/main/", "/conv_transition_b/"),
        ("/fuse/", "/conv_transition/"),
        *TORCH_LEAVES,
    ),
)


def build(name: str, weights: Weights) -> nn.Module:
    """Builds the classifier with as many classes as the weights have.

    timm trained with PyTorch's default slope of leaky ReLU, 0.01 where the authors have 0.1, so the
    model differs in that from `models.classifier(name)`.
    """
    num_classes = weights.size("head/bias", 1000)
    if name in csp_darknet53.VARIANTS:
        act = functools.partial(nn.leaky_relu, negative_slope=NEGATIVE_SLOPE)
        return csp_darknet53.csp_darknet53_classifier(name, num_classes=num_classes, act=act)
    return darknet.darknet_classifier(name, num_classes=num_classes, negative_slope=NEGATIVE_SLOPE)


FAMILY = Family((*darknet.VARIANTS, *csp_darknet53.VARIANTS), lambda name: (TIMM,), build)
