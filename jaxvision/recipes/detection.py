"""Object detection; what differs between them is in `detectors`."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from jaxvision.data.augment.letterbox import Letterbox, rectangles
from jaxvision.data.augment.multi_scale import MultiScale
from jaxvision.data.balance import class_weights, image_weights
from jaxvision.data.detection import detection_source
from jaxvision.data.detection_examples import DetectionEvalExample, detection_train_example
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.source import Source
from jaxvision.data.splits import open_split
from jaxvision.data.stream import Stream
from jaxvision.ops import ranges
from jaxvision.plots.detections import detection_report
from jaxvision.recipes import image_splits, values, wiring
from jaxvision.recipes.detectors import detector, no_aug_steps
from jaxvision.recipes.values import Config
from jaxvision.recipes.words import words
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.train.experiment import Best, EvalSet, Experiment

# Words of a config's argument: the format of the data, and the authors' values for COCO.
SOURCES = ("", "shapes", "coco", "voc", "yolo", "csv", "tfds", "packed")
RECIPES = ("", "coco2017")

# By eval.metric: by which value a checkpoint is the best one, if not by the detector's own.
_BEST = {"voc07": "VOC07", "voc10": "VOC10"}

# What a continued run may change.
FREE = (
    *image_splits.FREE,
    "batch_size",
)


def defaults(method: str = "yolox") -> Config:
    """Returns all values, locked; those of the method's authors for COCO.

    Args:
        method: A name of `detectors.DETECTORS`, as `yolox`; they differ in the group `loss`.

    Raises:
        ValueError: If there is no such method.
    """
    own = detector(method)
    config = image_splits.defaults()
    config.method = method
    config.image_size = 640
    config.short_side = 0  # of images in pixels, as far as image_size allows; 0 for no limit
    config.batch_size = 64
    config.epochs = 300
    config.backbone = ""  # a name of models.variants() in place of the detector's own backbone

    config.data.source = "coco"
    config.data.strict = False  # boxes outside the image or without area are errors
    config.data.max_objects = 120  # trained on, an image
    config.data.balance = ""  # repeat or inverse: draws images of rare classes more often

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
    config.augment.zoom_out = 0.0  # onto a canvas of up to four times the sides
    config.augment.crop = 0.0  # a patch that overlaps an object by an IoU of 0 to 0.9
    config.augment.photometric = 0.0  # SSD's changes of colour
    config.augment.erasing = 0.0
    config.augment.cutout = 0  # squares of an eighth of the input's side
    config.augment.min_side = 1.0  # pixels; objects that are not larger are not trained on

    config.eval.score_threshold = 0.001  # detections below are dropped
    config.eval.nms_threshold = 0.65  # IoU above which the worse of two boxes of a class is dropped
    config.eval.max_detections = 300  # an image
    config.eval.max_candidates = 1000  # boxes of an image that enter suppression
    config.eval.class_aware = True  # False: boxes of different classes suppress each other too
    # What happens to overlapping boxes: hard, the best is kept; soft_linear or soft_gaussian, the
    # others lose score; fusion, those of several views become their mean.
    config.eval.nms = "hard"
    config.eval.nms_sigma = 0.5  # of soft_gaussian
    config.eval.fusion_threshold = 0.55  # IoU above which fusion joins two boxes
    config.eval.flip = False  # images are predicted mirrored, too
    config.eval.scales = (1.0,)  # of the images that are predicted, 1 as they are
    config.eval.metric = "coco"  # voc07 or voc10: VOC's AP at an IoU of 0.5 beside it
    config.eval.rectangular = False  # images in the shape that suits them, not in squares
    config.loss = ConfigDict()
    own.defaults(config)
    return values.locked(config)


def parse(arg: str, **choices: Sequence[str]) -> tuple[str, ...]:
    """Reads a config's argument: `choices` as `words` takes them, then a source and a recipe."""
    return words(arg, **choices, source=SOURCES, recipe=RECIPES)


def from_source(config: Config, source: str, recipe: str = "") -> None:
    """Sets what depends on the data.

    Args:
        config: The values; those of COCO are the method's authors'.
        source: One of `SOURCES`; empty for COCO with a recipe, for drawn shapes without. These are
            learned from scratch on a CPU, in ten short epochs.
        recipe: One of `RECIPES`. Without, the set may be small: it has few steps, hence a longer
            warmup.
    """
    source = source or ("coco" if recipe else "shapes")
    config.data.source = source
    if recipe == "coco2017":
        config.data.update(train="train2017", val="val2017")
        return
    config.schedule.warmup = 0.05
    config.eval.epochs = 5
    if source == "shapes":
        config.update(image_size=128, batch_size=16, epochs=10)
        config.data.update(train_images=1600, val_images=200, cache_bytes=100_000_000)  # all
        from_scratch(config)
        # Places, sizes and colours are random already.
        config.augment.update(mosaic=0, mixup=0, hsv=0, zoom_out=0, crop=0, photometric=0)


def from_scratch(config: Config) -> None:
    """Sets what learns most in few steps where no weights are there to start from."""
    config.optimizer.update(name="adamw", learning_rate=1e-3, base_batch=0, weight_decay=0.05)
    config.schedule.update(name="cosine", final_ratio=0.01)
    config.ema.update(decay=0.998, warmup=200)


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what the task must know of the data.

    Args:
        config: The values.
        train: The training images.

    Returns:
        JSON: `class_names`, `class_weights`, empty for none, `train_images`, their number, and what
        the method must know.
    """
    rule = config.loss.get("class_weights", "")
    weights = class_weights(train, rule).tolist() if rule else []
    return dict(
        class_names=list(train.classes),
        class_weights=weights,
        train_images=len(train),
        **detector(config.method).info(config, train),
    )


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> DenseDetection:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    own = detector(config.method)
    model, method = own.build(config, info)
    options = wiring.keywords(config.eval, "batch_size", "epochs", "rectangular")
    return own.task(model, method, class_names=tuple(info["class_names"]), **options)


def eval_transform(config: Config) -> Letterbox:
    """Returns what an image goes through outside of training.

    Raises:
        ValueError: If `image_size` is not a multiple of 32.
    """
    _check_sizes(config)
    side = config.image_size
    shapes = rectangles(side) if config.eval.rectangular else ()
    return Letterbox((side, side), shapes, config.short_side)


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens one split for evaluation, its classes in the order of `info`.

    Args:
        config: The values.
        info: What `info` returned for the training data.
        split: `train`, `val` or `test`.

    Raises:
        ValueError: If there is no such split.
    """
    options = image_splits.options(config, info, split) | _source_options(config)
    return _eval_stream(config, open_split(detection_source, split, **options))


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    _check_sizes(config)
    train, val = image_splits.open_splits(detection_source, config, info, **_source_options(config))
    new_run = info is None
    info = _info(config, train) if info is None else info
    print(train.describe(config.data.max_objects), val.describe(), sep="\n")

    weights = image_weights(train, config.data.balance) if config.data.balance else None
    plan = Shuffled(len(train), config.batch_size, weights)
    epoch = len(plan)
    steps = wiring.total_steps(config, epoch)
    final_steps = no_aug_steps(config, steps)
    example_at = _example_at(config, train, steps - final_steps)
    train_data = Stream(
        plan,
        example_at(0),
        schedule=example_at,
        seed=config.seed,
        name=train.name,
        digest=train.digest,
        **image_splits.reading(config),
    )
    eval_sets = {"val": EvalSet(_eval_stream(config, val))}
    if config.data.test:
        eval_sets["test"] = EvalSet(eval_data(config, info, "test"), at_end=True)

    problem, own = task(config, info), detector(config.method)
    finish = None
    if own.finish:
        finish = own.finish(problem, _eval_stream(config, train), seed=config.seed)
    rate = wiring.learning_rate(
        config, epoch=epoch, batch_size=config.batch_size, final_steps=final_steps
    )
    return Experiment(
        task=problem,
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(
            config,
            config.backbone or own.full_name(config.variant),
            part="backbone" if config.backbone else "",
            now=new_run,
        ),
        best=Best(f"val/{_BEST.get(config.eval.metric, own.best)}"),
        finish=finish,
        report=functools.partial(detection_report, class_names=train.classes),
        meta=wiring.meta(__name__, config, info),
        **wiring.run_options(config, epoch),
    )


def _check_sizes(config: Config) -> None:
    multiple = detector(config.method).multiple
    if config.eval.rectangular and multiple % 32:
        raise ValueError(f"eval.rectangular must be False for {config.method}, got True")
    ranges.check(config, "[32, 65_536]", "image_size", "augment.multi_scale")
    ranges.check(config, f"[0, {config.image_size}]", "short_side")
    sizes = [("image_size", config.image_size)]
    sizes += [("augment.multi_scale", side) for side in config.augment.multi_scale]
    for name, side in sizes:
        if side % multiple:
            raise ValueError(f"{name} must be a multiple of {multiple}, got {side}")
    side, several = config.image_size, tuple(config.augment.multi_scale)
    if several and not min(several) <= side <= max(several):
        raise ValueError(
            f"augment.multi_scale must have sides below and above image_size, got {several} and "
            f"{side}; set both, or --config.augment.multi_scale='()' to train at image_size alone"
        )


def _source_options(config: Config) -> dict[str, Any]:
    """Returns the keywords of `detection_source` for the format."""
    found: dict[str, Any] = {"proposals": config.data.get("proposals", "")}
    if config.data.get("masks", False) and config.data.source != "packed":
        if config.data.source not in ("shapes", "coco", "yolo"):
            raise ValueError(
                "data.source must be shapes, coco, yolo or packed for masks of objects, got "
                f"{config.data.source}"
            )
        found["masks"] = True
    if config.data.source == "shapes":
        return found | {"image_size": config.image_size}
    return found | {"strict": config.data.strict}


def _carried(config: Config) -> dict[str, Any]:
    """Returns what examples hold beside boxes, which some detectors have values for."""
    return {
        "max_proposals": config.data.get("max_proposals", 0),
        "masks": config.data.get("masks", False),
    }


def _example_at(
    config: Config, train: Source, no_aug_from: int
) -> Callable[[int], Callable[..., dict[str, Any]]]:
    """Returns what makes training examples as a function of the step."""
    options = wiring.keywords(config.augment, "no_aug", "multi_scale")
    sides = tuple(config.augment.multi_scale) or (config.image_size,)
    side_at = MultiScale(sides, seed=config.seed)

    @functools.cache
    def example(side: int, no_aug: bool) -> Callable[..., dict[str, Any]]:
        return detection_train_example(
            train,
            (side, side),
            config.data.max_objects,
            short_side=config.short_side * side // config.image_size,
            no_aug=no_aug,
            **_carried(config),
            **options,
        )

    return lambda step: example(side_at(step), step >= no_aug_from)


def _eval_stream(config: Config, source: Source) -> Stream:
    example = DetectionEvalExample(source, eval_transform(config), **_carried(config))
    batch_size = config.eval.batch_size or config.batch_size
    groups = example.groups() if config.eval.rectangular else None
    return Stream(
        InOrder(len(source), batch_size, groups),
        example,
        name=source.name,
        digest=source.digest,
        **image_splits.reading(config),
    )
