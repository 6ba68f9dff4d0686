"""Object detection: YOLOX and RetinaNet."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxvision.recipes import values
from jaxvision.train.experiment import Experiment

METHODS = ("yolox", "retinanet")

# What a continued run may change.
FREE = (
    *values.FREE,
    "batch_size",
    "data.on_error",
    "data.test_images",
)


def defaults(method: str = "yolox") -> ConfigDict:
    """Returns all values, locked; those of the method's authors for COCO.

    Args:
        method: `yolox` or `retinanet`, which differ in the group `loss`.

    Raises:
        ValueError: If there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method}")
    config = values.common()
    config.method = method
    config.image_size = 640
    config.batch_size = 64
    config.epochs = 300
    config.backbone = ""  # a name of models.variants() in place of the detector's own backbone

    config.data.source = "coco"
    config.data.classes = ""  # comma-separated; empty: as the data names them
    config.data.num_classes = 0  # 0: as many as the data names; another number is checked
    config.data.val_share = 0.0  # a part of train is val, for sets that come without one
    config.data.fold = ""  # "2/5": the second of five parts of train is val
    config.data.split_seed = 0
    config.data.strict = False  # boxes outside the image or without area are errors
    config.data.on_error = "stop"  # skip: go on without unreadable images, listed every epoch
    config.data.max_objects = 120  # trained on, an image
    config.data.balance = ""  # repeat or inverse: draws images of rare classes more often
    # Images of each split, for `shapes`; 0: its own number.
    config.data.train_images = config.data.val_images = config.data.test_images = 0

    config.augment = ConfigDict()
    config.augment.mosaic = 0.0  # probability, as others of which nothing else is said
    config.augment.mixup = 0.0  # where a mosaic was made
    config.augment.cutmix = 0.0
    config.augment.no_aug = 0.0  # share of the run, its end, without the three above
    config.augment.mosaic_scale = (0.1, 2.0)
    config.augment.degrees = 10.0
    config.augment.translate = 0.1  # share of the input's side
    config.augment.shear = 2.0  # degrees
    config.augment.affine_centered = False  # about the canvas's centre, not its corner
    config.augment.filter_boxes = False  # drops what mosaic and mixup leave little of
    config.augment.max_reduction = 8  # mosaic and mixup may read images at 1/2, 1/4, 1/8; 1: never
    # Sides of the training images, another every ten steps; each is a program to compile. Empty:
    # image_size alone.
    config.augment.multi_scale = ()
    config.augment.flip = 0.5
    config.augment.vertical_flip = 0.0
    config.augment.hsv = 0.0
    config.augment.hsv_gain = False  # multiplies instead of adding
    config.augment.jitter = 0.0  # range of brightness, contrast and saturation
    config.augment.crop = 0.0
    config.augment.erasing = 0.0
    config.augment.cutout = 0  # squares of an eighth of the input's side
    config.augment.min_side = 1.0  # pixels; objects that are not larger are not trained on

    config.eval.score_threshold = 0.001  # detections below are dropped
    config.eval.nms_threshold = 0.65  # IoU above which the worse of two boxes of a class is dropped
    config.eval.max_detections = 300  # an image
    config.eval.rectangular = False  # images in the shape that suits them, not in squares
    {"yolox": _yolox, "retinanet": _retinanet}[method](config)
    return config.lock()


def _yolox(config: ConfigDict) -> None:
    config.variant = "yolox_s"
    config.augment.update(mosaic=1.0, mixup=1.0, hsv=1.0, no_aug=15 / 300)
    config.optimizer.update(name="nesterov", learning_rate=0.01, base_batch=64, weight_decay=5e-4)
    config.schedule.update(name="yolox", warmup=5 / 300, final_ratio=0.05)
    config.ema.decay = 0.9998
    config.eval.epochs = 10.0

    config.loss = ConfigDict()
    config.loss.box_loss = "iou"  # 1 - IoU^2; giou; or linear_iou, 1 - IoU
    config.loss.box_weight = 5.0
    config.loss.class_weights = ""  # inverse or effective, by the training split's frequencies
    config.loss.center_radius = 1.5  # of SimOTA, as the next three; in strides
    config.loss.candidates = "center"  # or box_or_center
    config.loss.iou_weight = 3.0  # lambda of the paper's equation 1
    config.loss.top_k = 10  # IoUs whose sum is an object's number of anchors


def _retinanet(config: ConfigDict) -> None:
    config.variant = "retinanet_resnet50_fpn"
    config.batch_size = 16
    config.epochs = 12
    config.optimizer.update(name="momentum", learning_rate=0.01, base_batch=16, weight_decay=1e-4)
    config.schedule.update(name="step", boundaries=(8 / 12, 11 / 12), warmup_steps=500)
    config.eval.update(score_threshold=0.05, nms_threshold=0.5)

    config.loss = ConfigDict()
    config.loss.matched_iou = 0.5  # an anchor belongs to an object from this IoU on
    config.loss.background_iou = 0.4  # and is background below this one
    config.loss.alpha = 0.25  # of the focal loss
    config.loss.gamma = 2.0
    config.loss.class_weights = ""  # inverse or effective, by the training split's frequencies


def info(config: ConfigDict, train: Any) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: Source of the training images.

    Returns:
        JSON: `class_names`, `class_weights`, empty for none, and `train_images`, their number.
    """
    raise NotImplementedError


def task(config: ConfigDict, info: Mapping[str, Any]) -> Any:
    """Builds the task; opens no file."""
    raise NotImplementedError


def eval_data(config: ConfigDict, info: Mapping[str, Any], split: str) -> Any:
    """Opens one split for evaluation.

    Args:
        config: The values.
        info: Of the run.
        split: `train`, `val` or `test`.
    """
    raise NotImplementedError


def experiment(config: ConfigDict, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: Of the run that is continued; by default it is computed from the training data.
    """
    raise NotImplementedError
