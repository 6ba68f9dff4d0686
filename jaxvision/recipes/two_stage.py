"""The detectors of two stages: what each adds to the values of detection, and how it is built."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxvision import models
from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.faster_rcnn import FasterRCNNMethod
from jaxvision.losses.detection.mask_rcnn import MaskRCNNMethod
from jaxvision.losses.detection.rcnn import RCNNMethod
from jaxvision.losses.detection.rpn import RPNMethod
from jaxvision.models.detection.fast_rcnn import FastRCNN
from jaxvision.models.detection.faster_rcnn import FasterRCNN
from jaxvision.ops import ranges
from jaxvision.recipes import wiring
from jaxvision.recipes.values import Config

# The group `loss` holds the values of both stages; those of the first begin with this.
_PROPOSAL = "proposal_"


def faster_rcnn(config: Config) -> None:
    """Sets the values of torchvision's and Detectron's training on COCO."""
    config.variant = "faster_rcnn_resnet50_fpn"
    _both_stages(config)


def mask_rcnn(config: Config) -> None:
    """Sets the values of torchvision's and Detectron's training on COCO."""
    config.variant = "mask_rcnn_resnet50_fpn"
    _both_stages(config)
    config.data.masks = True  # batches hold the objects' masks
    config.data.max_objects = 40
    config.loss.mask_weight = 1.0


def _both_stages(config: Config) -> None:
    """Sets the values of the training and of both stages."""
    config.image_size = 1088
    config.batch_size = 16
    config.epochs = 12
    config.optimizer.update(name="momentum", learning_rate=0.02, base_batch=16, weight_decay=1e-4)
    config.schedule.update(name="step", boundaries=(8 / 12, 11 / 12), warmup=1000 / 90_000)
    config.eval.update(score_threshold=0.05, nms_threshold=0.5, max_detections=100)

    config.loss.proposal_scales = (8.0,)  # sides of a map's square anchors, in strides
    config.loss.proposal_ratios = (0.5, 1.0, 2.0)  # height over width of the anchors
    config.loss.proposal_foreground_iou = 0.7  # an anchor belongs to an object from this IoU on
    config.loss.proposal_background_iou = 0.3  # background below; ignored in between
    config.loss.proposal_samples = 256  # anchors of an image in the loss
    config.loss.proposal_positive_share = 0.5  # of them, at most
    config.loss.proposal_pre_nms = (2000, 1000)  # anchors of a map, in training and evaluation
    config.loss.proposal_post_nms = (2000, 1000)  # proposals of an image, as the line before
    config.loss.proposal_nms_threshold = 0.7
    _regions(config)


def fast_rcnn(config: Config) -> None:
    """Sets the values of the authors' training on VOC."""
    config.variant = "fast_rcnn_vgg16"
    config.image_size = 1024
    config.batch_size = 2
    config.epochs = 16
    config.optimizer.update(name="momentum", learning_rate=1e-3, base_batch=2, weight_decay=5e-4)
    config.schedule.update(name="step", boundaries=(30 / 40,))
    config.eval.update(score_threshold=0.05, nms_threshold=0.3, max_detections=100)
    config.data.proposals = "selective_search"  # finds regions; empty: those of a packed dataset
    config.data.max_proposals = 2000  # an image
    _regions(config)
    config.loss.update(background_iou=0.1, samples=64, beta=1.0)


def rcnn(config: Config) -> None:
    """Sets the values of the authors' training on VOC."""
    _linear(config)
    config.variant = "rcnn_alexnet"
    config.image_size = 512
    config.loss.update(samples=64)


def spp_net(config: Config) -> None:
    """Sets the values of the authors' training on VOC."""
    _linear(config)
    config.variant = "spp_net_zf5"
    config.image_size = 704
    config.loss.update(background_iou=0.1, samples=64)


def _linear(config: Config) -> None:
    """Sets the values of the detectors that end in linear machines."""
    config.batch_size = 2
    config.epochs = 16
    config.optimizer.update(name="momentum", learning_rate=1e-3, base_batch=2, weight_decay=5e-4)
    config.schedule.update(name="step", boundaries=(0.75,))
    config.eval.update(score_threshold=0.05, nms_threshold=0.3, max_detections=100)
    config.data.proposals = "selective_search"  # finds regions; empty: those of a packed dataset
    config.data.max_proposals = 2000  # an image
    _regions(config)
    config.loss.box_weight = 0.0  # boxes are regressed after the network is trained
    config.loss.svm_background_iou = 0.3  # a class's negatives overlap its objects by less
    config.loss.svm_c = 1e-3
    config.loss.box_iou = 0.6  # regions that overlap by more teach the boxes of their class
    config.loss.box_ridge = 1000.0
    config.loss.max_negatives = 50_000  # of a class


def _regions(config: Config) -> None:
    """Sets the values of the second stage."""
    config.loss.foreground_iou = 0.5  # a proposal belongs to an object from this IoU on
    config.loss.background_iou = 0.0  # proposals that overlap less are not trained on
    config.loss.samples = 512  # proposals of an image in the loss
    config.loss.positive_share = 0.25  # of them, at most
    config.loss.beta = 1 / 9  # offsets' errors are squared below, absolute above
    config.loss.box_weight = 1.0
    config.loss.pre_nms = 3000  # detections of an image that enter suppression


def build_fast_rcnn(config: Config, info: Mapping[str, Any]) -> tuple[FastRCNN, FasterRCNNMethod]:
    """Builds network and method.

    Raises:
        ValueError: If a value is out of its range.
    """
    network = wiring.network(models.fast_rcnn, config, **wiring.fields(config, info))
    return network, FasterRCNNMethod(None, FastRCNNMethod(**wiring.keywords(config.loss)))


def build_rcnn(
    build: Callable[..., FastRCNN], config: Config, info: Mapping[str, Any]
) -> tuple[FastRCNN, FasterRCNNMethod]:
    """Builds network and method; `build` is `models.rcnn` or `models.spp_net`.

    Raises:
        ValueError: If a value is out of its range.
    """
    network = wiring.network(build, config, **wiring.fields(config, info))
    return network, FasterRCNNMethod(None, RCNNMethod(**wiring.keywords(config.loss)))


def build_faster_rcnn(
    config: Config, info: Mapping[str, Any]
) -> tuple[FasterRCNN, FasterRCNNMethod]:
    """Builds network and method.

    Raises:
        ValueError: If a value is out of its range.
    """
    network, rpn, regions = _both(models.faster_rcnn, config, info)
    return network, FasterRCNNMethod(rpn, regions)


def build_mask_rcnn(config: Config, info: Mapping[str, Any]) -> tuple[FasterRCNN, MaskRCNNMethod]:
    """Builds network and method.

    Raises:
        ValueError: If a value is out of its range.
    """
    network, rpn, regions = _both(models.mask_rcnn, config, info)
    return network, MaskRCNNMethod(rpn, regions, config.loss.mask_weight)


def _both(
    build: Callable[..., FasterRCNN], config: Config, info: Mapping[str, Any]
) -> tuple[FasterRCNN, RPNMethod, FastRCNNMethod]:
    """Builds a network and the methods of its two stages."""
    values = wiring.keywords(config.loss, "mask_weight")
    first = {k.removeprefix(_PROPOSAL): v for k, v in values.items() if k.startswith(_PROPOSAL)}
    second = {k: v for k, v in values.items() if not k.startswith(_PROPOSAL)}
    scales = first.pop("scales")
    ranges.check(config, "(0, inf)", "loss.proposal_scales")
    if not scales:
        raise ValueError("loss.proposal_scales must be at least one number, got none")
    cell = len(scales) * len(first["ratios"])
    fields = wiring.fields(config, info) | dict(anchors_per_cell=cell)
    network = wiring.network(build, config, **fields)
    strides = network.proposal_strides
    sizes = tuple(tuple(scale * stride for scale in scales) for stride in strides)
    rpn = RPNMethod(strides, sizes, beta=values["beta"], **first)
    return network, rpn, FastRCNNMethod(**second)
