"""Weights of torchvision's FCN and DeepLabv3 on dilated ResNets."""

from jaxvision.models.segmentation.dilated import VARIANTS, DilatedSegmenter, dilated
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import Rules
from jaxvision.pretrained.resnet import BACKBONE_RULES

_BACKBONE: Rules = (
    ("^backbone/", ""),
    *BACKBONE_RULES,
    ("^{part:conv1|bn1|layer[0-9]}/", "backbone/{part}/"),
    ("^auxiliary_head/hidden/conv/", "aux_classifier/0/"),
    ("^auxiliary_head/hidden/norm/", "aux_classifier/1/"),
    ("^auxiliary_head/predict/", "aux_classifier/4/"),
)
FCN = Source(
    "torchvision",
    (
        *_BACKBONE,
        ("^head/hidden/conv/", "classifier/0/"),
        ("^head/hidden/norm/", "classifier/1/"),
        ("^head/predict/", "classifier/4/"),
    ),
)
DEEPLAB = Source(
    "torchvision",
    (
        *_BACKBONE,
        ("^head/branch1x1/", "classifier/0/convs/0/"),
        ("^head/atrous{number}/", "classifier/0/convs/{number}/"),
        ("^head/pooled/conv/", "classifier/0/convs/4/1/"),
        ("^head/pooled/norm/", "classifier/0/convs/4/2/"),
        ("^head/project/", "classifier/0/project/"),
        ("^classifier/0/{part:convs/[0-9]|project}/conv/", "classifier/0/{part}/0/"),
        ("^classifier/0/{part:convs/[0-9]|project}/norm/", "classifier/0/{part}/1/"),
        ("^head/hidden/conv/", "classifier/1/"),
        ("^head/hidden/norm/", "classifier/2/"),
        ("^head/predict/", "classifier/4/"),
    ),
)


def build(name: str, weights: Weights) -> DilatedSegmenter:
    """Builds the variant with the classes and with or without auxiliary head as the weights are."""
    return dilated(
        name,
        num_classes=weights.size("head/predict/bias", 21),
        auxiliary=any(key.startswith("aux_classifier") for key in weights.state),
    )


def sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a variant's weights."""
    return (DEEPLAB,) if name.startswith("deeplabv3") else (FCN,)


FAMILY = Family(tuple(name for name in VARIANTS if name != "fcn_resnet18"), sources, build)
