"""Darknet's detectors, YOLOv1 to v4: their values, and how they are built."""

from collections.abc import Mapping
from typing import Any

from jaxvision import models
from jaxvision.losses.detection import yolov2, yolov3, yolov4
from jaxvision.losses.detection.anchor_method import Sizes
from jaxvision.losses.detection.yolov1 import YOLOv1Method
from jaxvision.models.detection import yolov1
from jaxvision.models.variant import detector_fields
from jaxvision.recipes import wiring
from jaxvision.recipes.anchors import anchors_in, with_anchors
from jaxvision.recipes.values import Config

Info = Mapping[str, Any]
# A network and a method.
Parts = tuple[Any, Any]


def _darknet(config: Config) -> None:
    """What Darknet's detectors have in common."""
    config.image_size = 416
    config.augment.update(hsv=1.0, hsv_gain=True)
    config.optimizer.update(
        name="momentum", learning_rate=1e-3, momentum=0.9, base_batch=64, weight_decay=5e-4
    )
    config.eval.update(score_threshold=0.005, nms_threshold=0.45)
    config.eval.epochs = 10.0
    config.loss.anchors = (
        "auto"  # fitted to the data where the authors' do not match; fitted; or authors
    )
    config.loss.pre_nms = 3000  # detections of an image that enter suppression


def yolov1_defaults(config: Config) -> None:
    """Sets the values of the authors' training on VOC."""
    config.variant = "yolov1"
    config.image_size = 448
    config.batch_size = 64
    config.epochs = 135
    config.augment.update(hsv=1.0, hsv_gain=True, crop=0.5)
    config.optimizer.update(
        name="momentum", learning_rate=1e-2, momentum=0.9, base_batch=64, weight_decay=5e-4
    )
    config.schedule.update(name="step", boundaries=(75 / 135, 105 / 135), warmup=1 / 135)
    config.eval.update(score_threshold=0.005, nms_threshold=0.5)
    config.eval.epochs = 10.0
    config.loss.boxes = 2  # of a cell
    config.loss.box_weight = 5.0
    config.loss.background_weight = 0.5  # of the confidence of boxes without an object


def build_yolov1(config: Config, info: Info) -> Parts:
    """Builds network and method.

    Raises:
        ValueError: If another backbone is asked for, or a value is out of its range.
    """
    if config.backbone:
        raise ValueError(
            f"backbone must be empty for yolov1, which has its own, got {config.backbone}"
        )
    variant = detector_fields("yolov1", config.variant, yolov1.VARIANTS)
    stride = variant.get("stride", yolov1.STRIDE)
    method = YOLOv1Method(stride=stride, **wiring.keywords(config.loss))
    fields = wiring.fields(config, info) | dict(boxes=method.boxes)
    return wiring.network(models.yolov1, config, **fields), method


def yolov2_defaults(config: Config) -> None:
    """Sets the values of the authors' training on VOC."""
    config.variant = "yolov2"
    config.epochs = 160
    _darknet(config)
    config.schedule.update(name="step", boundaries=(60 / 160, 90 / 160), warmup=1 / 160)
    config.loss.ignore_iou = 0.6  # background that overlaps an object by more is ignored
    config.loss.box_weight = 1.0
    config.loss.object_weight = 5.0
    config.loss.background_weight = 1.0
    config.loss.class_weight = 1.0
    config.loss.prior_weight = 0.01  # pulls other boxes to their anchors
    config.loss.prior_images = 12_800  # during so many images


def yolov2_anchors(variant: str) -> Sizes:
    """Returns the authors' anchors of a variant."""
    by_name = {"yolov2": yolov2.VOC_ANCHORS, "yolov2_tiny": yolov2.TINY_VOC_ANCHORS}
    return by_name.get(variant, yolov2.COCO_ANCHORS)


def build_yolov2(config: Config, info: Info) -> Parts:
    """Builds network and method."""
    method = yolov2.YOLOv2Method(anchors_in(info), **wiring.keywords(config.loss, "anchors"))
    return with_anchors(models.yolov2, config, info, method)


def yolov3_defaults(config: Config) -> None:
    """Sets the values of the authors' training on COCO."""
    config.variant = "yolov3"
    config.epochs = 273
    _darknet(config)
    config.schedule.update(name="step", boundaries=(0.8, 0.9), warmup=1000 / 500_200)
    config.loss.ignore_iou = 0.7  # background that overlaps an object by more is ignored
    config.loss.box_weight = 1.0


def yolov3_anchors(variant: str) -> Sizes:
    """Returns the authors' anchors of a variant."""
    return yolov3.TINY_ANCHORS if variant.endswith(("tiny", "nano")) else yolov3.ANCHORS


def build_yolov3(config: Config, info: Info) -> Parts:
    """Builds network and method."""
    anchors, options = anchors_in(info), wiring.keywords(config.loss, "anchors")
    strides = (8, 16, 32)[-len(anchors) :]
    method = yolov3.YOLOv3Method(anchors, strides, **options)
    return with_anchors(models.yolov3, config, info, method)


def yolov4_defaults(config: Config) -> None:
    """Sets the values of the authors' training on COCO."""
    config.variant = "yolov4"
    config.epochs = 273
    _darknet(config)
    config.augment.update(mosaic=1.0, mosaic_scale=(0.5, 1.5), degrees=0.0, shear=0.0)
    config.optimizer.update(learning_rate=0.0013, momentum=0.949)
    config.schedule.update(name="step", boundaries=(0.8, 0.9), warmup=1000 / 500_500)
    config.loss.match_iou = 0.213  # of an object's shape and further anchors that match it
    config.loss.ignore_iou = 0.7  # background that overlaps an object by more is ignored
    config.loss.ignore_probability = 0.25  # if some class is as probable
    config.loss.box_weight = 0.07
    config.loss.label_smoothing = 0.0


def yolov4_anchors(variant: str) -> Sizes:
    """Returns the authors' anchors of a variant."""
    return yolov4.TINY_ANCHORS if variant.endswith("tiny") else yolov4.ANCHORS


def build_yolov4(config: Config, info: Info) -> Parts:
    """Builds network and method."""
    anchors, options = anchors_in(info), wiring.keywords(config.loss, "anchors")
    # The authors' numbers for three maps and for two.
    scales = (1.2, 1.1, 1.05) if len(anchors) == 3 else (1.05, 1.05)
    method = yolov4.YOLOv4Method(anchors, (8, 16, 32)[-len(anchors) :], scales, **options)
    return with_anchors(models.yolov4, config, info, method)
