"""SegNet and DeconvNet weights: lists of the stages' convolutions, each with its normalisation."""

from jaxvision.models.segmentation.deconvnet import DeconvNet, deconvnet
from jaxvision.models.segmentation.segnet import SegNet, segnet
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import TRANSPOSED_CONV
from jaxvision.pretrained.names import TORCH_LEAVES, Rules

_STAGES: Rules = (
    ("^{path:encoder|decoder}{stage}_conv{number}/", "{path}/{stage-1}/{number-1}/"),
    ("/norm/", "/bn/"),
    *TORCH_LEAVES,
)
SEGNET = Source("stages", (*_STAGES, ("^head/", "classifier/")))
DECONVNET = Source(
    "stages",
    (*_STAGES, ("^head/", "score/")),
    layouts=((r"(?:decoder\d_conv\d|fc6_deconv)/conv/kernel", TRANSPOSED_CONV),),
)


def build_segnet(name: str, weights: Weights) -> SegNet:
    """Builds the variant with as many classes as the weights have."""
    return segnet(name, num_classes=weights.size("head/bias", 11))


def build_deconvnet(name: str, weights: Weights) -> DeconvNet:
    """Builds the variant with as many classes as the weights have."""
    return deconvnet(name, num_classes=weights.size("head/bias", 21))


FAMILY = Family(("segnet", "segnet_basic"), lambda name: (SEGNET,), build_segnet)
DECONVNET_FAMILY = Family(
    ("deconvnet",), lambda name: (DECONVNET,), build_deconvnet, image_side=224
)
