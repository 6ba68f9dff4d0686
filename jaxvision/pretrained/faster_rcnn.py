"""Weights of torchvision for Faster R-CNN and Mask R-CNN."""

from jaxvision.models.detection.faster_rcnn import FasterRCNN, faster_rcnn
from jaxvision.models.detection.mask_rcnn import mask_rcnn
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import TRANSPOSED_CONV, flattened
from jaxvision.pretrained.names import Rules
from jaxvision.pretrained.resnet import BACKBONE_RULES
from jaxvision.pretrained.retinanet import NORM

_RULES: Rules = (
    ("^backbone/", ""),
    *BACKBONE_RULES,
    ("^{part:conv1|bn1|layer[0-9]}/", "backbone/body/{part}/"),
    ("^neck/lateral{level}/", "backbone/fpn/inner_blocks/{level-2}/0/"),
    ("^neck/output{level}/", "backbone/fpn/layer_blocks/{level-2}/0/"),
    ("^rpn/conv/", "rpn/head/conv/0/0/"),
    ("^rpn/objectness/", "rpn/head/cls_logits/"),
    ("^rpn/box/", "rpn/head/bbox_pred/"),
    ("^head/fc{number}/", "roi_heads/box_head/fc{number}/"),
    ("^head/classes/", "roi_heads/box_predictor/cls_score/"),
    ("^head/boxes/", "roi_heads/box_predictor/bbox_pred/"),
    ("^mask_head/conv{number}/", "roi_heads/mask_head/{number-1}/0/"),
    ("^mask_head/double/", "roi_heads/mask_predictor/conv5_mask/"),
    ("^mask_head/predict/", "roi_heads/mask_predictor/mask_fcn_logits/"),
)
_LAYOUTS = (("head/fc6/kernel", flattened(side=7)), ("mask_head/double/kernel", TRANSPOSED_CONV))
TORCHVISION = Source("torchvision", _RULES, layouts=_LAYOUTS)
# The released file was written before convolutions had a block of their own.
RELEASED = Source(
    "torchvision_0.8",
    (
        *_RULES,
        ("/{kind:inner_blocks|layer_blocks}/{number}/0/", "/{kind}/{number}/"),
        ("^rpn/head/conv/0/0/", "rpn/head/conv/"),
        ("^roi_heads/mask_head/{number}/0/", "roi_heads/mask_head/mask_fcn{number+1}/"),
    ),
    layouts=_LAYOUTS,
    known_by=r"fpn\.inner_blocks\.0\.weight$",
)


def build(name: str, weights: Weights) -> FasterRCNN:
    """Builds the variant with as many classes as the weights have and a fixed normalisation."""
    make = mask_rcnn if name.startswith("mask") else faster_rcnn
    return make(name, num_classes=weights.size("head/classes/bias", 91) - 1, norm=NORM)


FAMILY = Family(
    ("faster_rcnn_resnet50_fpn", "mask_rcnn_resnet50_fpn"),
    lambda name: (TORCHVISION, RELEASED),
    build,
)
