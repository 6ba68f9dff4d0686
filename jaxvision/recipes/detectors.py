"""The detectors: what each adds to the values of detection, and how it is built."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxvision import models
from jaxvision.data.source import Source
from jaxvision.losses.detection.hog_svm import HOGSVMMethod
from jaxvision.losses.detection.retinanet import RetinaNetMethod
from jaxvision.losses.detection.ssd import SSDMethod
from jaxvision.losses.detection.yolov5 import COCO_ANCHORS, YOLOv5Method
from jaxvision.losses.detection.yolov8 import YOLOv8Method
from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.models.detection import ssd
from jaxvision.models.variant import fields_of
from jaxvision.recipes import darknet, two_stage, wiring
from jaxvision.recipes.anchors import anchors_in, anchors_of, with_anchors
from jaxvision.recipes.linear_machines import Finish, fit_machines
from jaxvision.recipes.values import Config
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.mask_detection import MaskDetection
from jaxvision.tasks.two_stage_detection import TwoStageDetection

Info = Mapping[str, Any]
# A network and a method.
Parts = tuple[Any, Any]


def _nothing(config: Config, train: Source) -> dict[str, Any]:
    return {}


class Detector(NamedTuple):
    """What a detector adds to the recipe.

    Attributes:
        prefix: Of the names of its variants.
        defaults: Sets its values, those of the group `loss` among them.
        build: Builds its network and its method from the values and what is known of the data.
        info: Returns what its method must know of the data beyond what all must, as JSON.
        multiple: The sides of its images are multiples of this, in pixels.
        task: Joins network and method.
        best: The metric whose best checkpoint is kept, with COCO's metrics.
        finish: Maps the task, the training images as evaluation sees them and a seed to what an
            experiment does after the last step; None for nothing.
    """

    prefix: str
    defaults: Callable[[Config], None]
    build: Callable[[Config, Info], Parts]
    info: Callable[[Config, Source], dict[str, Any]] = _nothing
    multiple: int = 32
    task: Callable[..., DenseDetection] = DenseDetection
    best: str = "AP"
    finish: Callable[..., Finish] | None = None

    def full_name(self, variant: str) -> str:
        """Returns a variant's name as `models.variants()` lists it."""
        return self.prefix + variant.removeprefix(self.prefix)


def detector(method: str) -> Detector:
    """Returns a detector by its method's name.

    Raises:
        ValueError: If there is no such method.
    """
    if method not in DETECTORS:
        raise ValueError(f"method must be one of {', '.join(DETECTORS)}, got {method}")
    return DETECTORS[method]


def no_aug_steps(config: Config, steps: int) -> int:
    """Returns the steps at the end of a run that are without mosaic and the like.

    Raises:
        ValueError: If `augment.no_aug` is no share.
    """
    if not 0 <= config.augment.no_aug <= 1:
        raise ValueError(f"augment.no_aug must be in [0, 1], got {config.augment.no_aug}")
    return round(config.augment.no_aug * steps)


def _yolox(config: Config) -> None:
    config.variant = "yolox_s"
    config.model.pyramid = ""  # ghost_pan: lighter than the paper's
    config.augment.update(mosaic=1.0, mixup=1.0, hsv=1.0, no_aug=15 / 300)
    config.optimizer.update(name="nesterov", learning_rate=0.01, base_batch=64, weight_decay=5e-4)
    config.schedule.update(name="yolox", warmup=5 / 300, final_ratio=0.05)
    config.ema.decay = 0.9998
    config.eval.epochs = 10.0

    config.loss.box_loss = "iou"  # 1 - IoU^2; giou; or plain_iou, 1 - IoU
    config.loss.box_weight = 5.0
    config.loss.class_weights = ""  # inverse or effective, by the training split's frequencies
    config.loss.center_radius = 1.5  # of SimOTA, as the next three; in strides
    config.loss.candidates = "center"  # or box_or_center
    config.loss.iou_weight = 3.0  # lambda of the paper's equation 1
    config.loss.top_k = 10  # IoUs whose sum is an object's number of anchors


def _build_yolox(config: Config, info: Info) -> Parts:
    steps = wiring.total_steps(config, info["train_images"] // config.batch_size)
    method = YOLOXMethod(
        **wiring.keywords(config.loss, "class_weights"),
        class_weights=tuple(info["class_weights"]) or None,
        l1_from_step=steps - no_aug_steps(config, steps),
    )
    return wiring.network(models.yolox, config, **wiring.normalised_fields(config, info)), method


def _retinanet(config: Config) -> None:
    config.variant = "retinanet_resnet50_fpn"
    config.batch_size = 16
    config.epochs = 12
    config.optimizer.update(name="momentum", learning_rate=0.01, base_batch=16, weight_decay=1e-4)
    config.schedule.update(name="step", boundaries=(8 / 12, 11 / 12), warmup=500 / 90_000)
    config.eval.update(score_threshold=0.05, nms_threshold=0.5)

    config.loss.anchor_scale = 4.0  # side of a level's smallest square anchor, in strides
    config.loss.scales_per_octave = 3
    config.loss.ratios = (0.5, 1.0, 2.0)  # height over width of the anchors
    config.loss.foreground_iou = 0.5  # an anchor belongs to an object from this IoU on
    config.loss.background_iou = 0.4  # it is background below this one, and ignored in between
    config.loss.low_quality = True  # the anchors that overlap an object most match at any IoU
    config.loss.alpha = 0.25  # of the focal loss
    config.loss.gamma = 2.0
    config.loss.box_weight = 1.0
    config.loss.pre_nms = 1000  # detections of each level that enter suppression


def _build_retinanet(config: Config, info: Info) -> Parts:
    method = RetinaNetMethod(**wiring.keywords(config.loss))
    fields = wiring.fields(config, info) | dict(anchors_per_cell=method.anchors_per_cell)
    return wiring.network(models.retinanet, config, **fields), method


def _ssd(config: Config) -> None:
    config.variant = "ssd300_vgg16"
    config.image_size = 300
    config.batch_size = 32
    config.epochs = 120
    # One of the seven options of the paper's crop is the whole image.
    config.augment.update(zoom_out=0.5, crop=6 / 7, photometric=1.0)
    config.optimizer.update(name="momentum", learning_rate=1e-3, base_batch=32, weight_decay=5e-4)
    config.schedule.update(name="step", boundaries=(80 / 120, 100 / 120), warmup=500 / 120_000)
    config.eval.update(score_threshold=0.01, nms_threshold=0.45, max_detections=200)
    config.eval.epochs = 10.0
    config.loss.foreground_iou = 0.5  # a default box belongs to an object from this IoU on
    config.loss.negatives = 3.0  # boxes of the background in the loss, for each of an object
    config.loss.box_weight = 1.0
    config.loss.pre_nms = 3000  # detections of an image that enter suppression


def _build_ssd(config: Config, info: Info) -> Parts:
    if config.backbone:
        raise ValueError(
            f"backbone must be empty for ssd, which has its own, got {config.backbone}"
        )
    layout = fields_of(DETECTORS["ssd"].full_name(config.variant), ssd.VARIANTS)["layout"]
    method = SSDMethod(layout, **wiring.keywords(config.loss))
    return wiring.network(models.ssd, config, **wiring.fields(config, info)), method


def _ultralytics(config: Config) -> None:
    """What YOLOv5 and YOLOv8 have in common."""
    config.batch_size = 16
    config.augment.update(mosaic=1.0, mosaic_scale=(0.5, 1.5), degrees=0.0, shear=0.0)
    config.augment.update(hsv=1.0, hsv_gain=True)
    config.optimizer.update(name="nesterov", learning_rate=0.01, momentum=0.937, weight_decay=5e-4)
    config.schedule.update(name="polynomial", warmup=3 / 300, final_ratio=0.01)
    config.ema.decay = 0.9999
    config.eval.epochs = 10.0


def _yolov5(config: Config) -> None:
    config.variant = "yolov5s"
    _ultralytics(config)
    config.eval.nms_threshold = 0.6

    config.loss.anchors = (
        "auto"  # fitted to the data where the authors' do not match; fitted; or authors
    )
    config.loss.max_ratio = 4.0  # of the sizes of an object and the anchors that it matches
    config.loss.box_weight = 0.05
    config.loss.objectness_weight = 1.0  # at 640 x 640; in proportion to the image's area
    config.loss.class_weight = 0.5  # times the number of classes / 80
    config.loss.balance = (4.0, 1.0, 0.4)  # of the maps at strides 8, 16 and 32 in objectness
    config.loss.pre_nms = 3000  # detections of an image that enter suppression


def _build_yolov5(config: Config, info: Info) -> Parts:
    options = wiring.keywords(config.loss, "anchors")
    options["objectness_weight"] *= (config.image_size / 640) ** 2
    method = YOLOv5Method(anchors=anchors_in(info), **options)
    return with_anchors(models.yolov5, config, info, method)


def _yolov8(config: Config) -> None:
    config.variant = "yolov8s"
    _ultralytics(config)
    config.augment.no_aug = 10 / 300
    config.eval.nms_threshold = 0.7

    config.loss.top_k = 10  # anchors that an object takes at most
    config.loss.class_power = 0.5  # of the metric by which it takes them, as the next
    config.loss.overlap_power = 6.0
    config.loss.box_weight = 7.5
    config.loss.class_weight = 0.5
    config.loss.distribution_weight = 1.5
    config.loss.pre_nms = 3000  # detections of an image that enter suppression


def _build_yolov8(config: Config, info: Info) -> Parts:
    method = YOLOv8Method(**wiring.keywords(config.loss))
    return wiring.network(models.yolov8, config, **wiring.normalised_fields(config, info)), method


def _hog_svm(config: Config) -> None:
    config.variant = "hog_svm"
    config.image_size = 512
    config.batch_size = 16
    config.epochs = 20
    config.optimizer.update(name="adamw", learning_rate=1e-3, weight_decay=1e-3)
    config.eval.update(score_threshold=0.05, nms_threshold=0.3, max_detections=100)
    config.loss.foreground_iou = 0.6  # a window shows an object from this IoU on
    config.loss.background_iou = 0.4  # it shows none below, and is ignored in between
    config.loss.negatives = 10.0  # windows of the background in the loss, for each of an object
    config.loss.pre_nms = 1000  # detections of an image that enter suppression


def _build_hog_svm(config: Config, info: Info) -> Parts:
    if config.backbone:
        raise ValueError(f"backbone must be empty for hog_svm, got {config.backbone}")
    model = wiring.network(models.hog_svm, config, **wiring.fields(config, info))
    pyramid = dict(cell=model.cell, window=model.window, scales=tuple(model.scales))
    return model, HOGSVMMethod(**pyramid, **wiring.keywords(config.loss))


DETECTORS = {
    "yolox": Detector("yolox_", _yolox, _build_yolox),
    "retinanet": Detector("retinanet_", _retinanet, _build_retinanet),
    "faster_rcnn": Detector(
        "faster_rcnn_", two_stage.faster_rcnn, two_stage.build_faster_rcnn, task=TwoStageDetection
    ),
    "fast_rcnn": Detector(
        "fast_rcnn_", two_stage.fast_rcnn, two_stage.build_fast_rcnn, task=TwoStageDetection
    ),
    "mask_rcnn": Detector(
        "mask_rcnn_",
        two_stage.mask_rcnn,
        two_stage.build_mask_rcnn,
        task=MaskDetection,
        best="mask_AP",
    ),
    "rcnn": Detector(
        "rcnn_",
        two_stage.rcnn,
        functools.partial(two_stage.build_rcnn, models.rcnn),
        task=TwoStageDetection,
        finish=fit_machines,
    ),
    "spp_net": Detector(
        "spp_net_",
        two_stage.spp_net,
        functools.partial(two_stage.build_rcnn, models.spp_net),
        task=TwoStageDetection,
        finish=fit_machines,
    ),
    "ssd": Detector("ssd", _ssd, _build_ssd, multiple=4),
    "yolov1": Detector("yolov1", darknet.yolov1_defaults, darknet.build_yolov1),
    "yolov2": Detector(
        "yolov2", darknet.yolov2_defaults, darknet.build_yolov2, anchors_of(darknet.yolov2_anchors)
    ),
    "yolov3": Detector(
        "yolov3", darknet.yolov3_defaults, darknet.build_yolov3, anchors_of(darknet.yolov3_anchors)
    ),
    "yolov4": Detector(
        "yolov4", darknet.yolov4_defaults, darknet.build_yolov4, anchors_of(darknet.yolov4_anchors)
    ),
    "yolov5": Detector("yolov5", _yolov5, _build_yolov5, anchors_of(lambda _: COCO_ANCHORS)),
    "hog_svm": Detector("hog_svm", _hog_svm, _build_hog_svm),
    "yolov8": Detector("yolov8", _yolov8, _build_yolov8),
}
