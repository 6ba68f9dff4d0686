"""RetinaNet weights of torchvision."""

import functools

from jaxvision.layers.batch_norm import FrozenBatchNorm
from jaxvision.models.detection.retinanet import RetinaNet, retinanet
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.names import Rules
from jaxvision.pretrained.resnet import BACKBONE_RULES

_RULES: Rules = (
    ("^backbone/", ""),
    *BACKBONE_RULES,
    ("^{part:conv1|bn1|layer[0-9]}/", "backbone/body/{part}/"),
    ("^neck/lateral{level}/", "backbone/fpn/inner_blocks/{level-3}/0/"),
    ("^neck/output{level}/", "backbone/fpn/layer_blocks/{level-3}/0/"),
    ("^neck/extra{level}/", "backbone/fpn/extra_blocks/p{level}/"),
    ("^class_head/predict/", "head/classification_head/cls_logits/"),
    ("^class_head/conv{number}/", "head/classification_head/conv/{number-1}/0/"),
    ("^box_head/predict/", "head/regression_head/bbox_reg/"),
    ("^box_head/conv{number}/", "head/regression_head/conv/{number-1}/0/"),
)
TORCHVISION = Source("torchvision", _RULES)
# The released file was written before convolutions had a block of their own.
RELEASED = Source(
    "torchvision_0.8",
    (
        *_RULES,
        ("/{kind:inner_blocks|layer_blocks}/{number}/0/", "/{kind}/{number}/"),
        ("_head/conv/{number}/0/", "_head/conv/{2*number}/"),
    ),
    known_by=r"fpn\.inner_blocks\.0\.weight$",
)
ANCHORS_PER_CELL = 9
# What the weights were trained with: a fixed normalisation, nothing added to the variance.
NORM = functools.partial(FrozenBatchNorm, epsilon=0.0)


def build(name: str, weights: Weights) -> RetinaNet:
    """Builds the variant with as many classes as the weights have and a fixed normalisation."""
    outputs = weights.size("class_head/predict/bias", 91 * ANCHORS_PER_CELL)
    return retinanet(name, num_classes=outputs // ANCHORS_PER_CELL, norm=NORM)


FAMILY = Family(("retinanet_resnet50_fpn",), lambda name: (TORCHVISION, RELEASED), build)
