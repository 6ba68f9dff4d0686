"""Super-resolution: a larger picture of a small one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxvision import models
from jaxvision.data.degradation import Degradation
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.source import Source
from jaxvision.data.stream import Stream
from jaxvision.data.super_resolution import (
    Joined,
    Sets,
    divided,
    evaluation_sets,
    open_pictures,
    patch_example,
    prepared,
    repeated,
    whole_example,
)
from jaxvision.data.windows import Windows
from jaxvision.ops import ranges
from jaxvision.plots.super_resolution import super_resolution_report
from jaxvision.recipes import values, wiring
from jaxvision.recipes.values import Config
from jaxvision.tasks.super_resolution import SuperResolution
from jaxvision.train.experiment import Best, EvalSet, Experiment
from jaxvision.train.precision import compute_dtype

# What a continued run may change.
FREE = (*values.FREE, "batch_size", "data.cache_bytes", "data.decoded", "data.on_fault")
# Arrays of an evaluation batch, a picture of its own size, which devices do not share.
WHOLE = {"image": None, "target": None, "index": None, "mask": None}


def defaults() -> Config:
    """Returns all values, locked; those of SRCNN on drawn pictures."""
    config = values.common()
    config.variant = "srcnn_915"
    config.scale = 3
    config.image_size = 33  # side of a patch in pixels of the target, a multiple of the scale
    config.batch_size = 32
    add_data(config)

    config.degradation = ConfigDict()
    # Ranges from which a value is drawn for each patch; equal numbers are that value, 0 is none.
    config.degradation.blur = (0.0, 0.0)  # Gaussian, standard deviation in pixels of the target
    config.degradation.elongation = 1.0  # largest ratio of the blur's two standard deviations
    config.degradation.kernel = ""  # file (.npy) of a kernel in place of the Gaussian
    config.degradation.downsize = "bicubic"  # direct: every scale-th pixel of the blurred picture
    config.degradation.noise = (0.0, 0.0)  # Gaussian, standard deviation of 255
    config.degradation.jpeg = (0, 0)  # quality, 1 to 100
    config.degradation.rounded = True  # small pictures are rounded to 8 bits

    config.augment = ConfigDict()
    config.augment.turn = True  # patches are mirrored and turned, in one of eight ways

    config.loss = ConfigDict()
    config.loss.name = "l2"  # l1, l2 or charbonnier, of values in [0, 1]

    config.eval.border = -1  # pixels that metrics leave out on each side; -1: the scale
    config.eval.tile = 192  # side of the windows, in pixels of a small picture, of the predictor
    config.eval.overlap = 16  # pixels that neighbouring windows see beyond their borders
    return values.locked(config)


def add_data(config: Config) -> None:
    """Adds the values of the group `data` that every recipe of pictures has."""
    config.data.source = "folder"  # drawn where data.path is empty
    config.data.val = "valid"
    config.data.low = ""  # files: small pictures are read; empty: they are computed
    # Folders of Set5's layout, separated by commas, whose names the metrics have; empty: a part of
    # data.path.
    config.data.eval = ""
    config.data.val_share = 0.1  # the part of data.path that is evaluated where data.eval is empty
    config.data.split_seed = 0
    config.data.patches = 32  # patches that an epoch takes of each picture
    config.data.on_fault = "error"  # drop: go on without unreadable pictures
    config.data.cache_bytes = 1_000_000_000  # decoded pictures are kept in memory up to so many
    config.data.decoded = ""  # folder in which decoded pictures are kept on the disk
    # Drawn pictures of each split, and their side in pixels.
    config.data.train_images = 160
    config.data.val_images = 8
    config.data.drawn_size = 96


def info(config: Config, train: Source) -> dict[str, Any]:
    """Returns what the task must know of the data: `train_images`, the number of pictures."""
    del config
    return dict(train_images=len(train))


_info = info  # `experiment` has an argument of that name


def task(config: Config, info: Mapping[str, Any]) -> SuperResolution:
    """Builds the task; opens no file.

    Args:
        config: The values.
        info: What `info` returned for the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    del info
    return SuperResolution(
        model=network(config), scale=config.scale, name=config.loss.name, border=config.eval.border
    )


def network(config: Config) -> Any:
    """Builds the network of a config."""
    dtype = compute_dtype(config.dtype)
    return wiring.network(models.super_resolution, config, dtype=dtype)


def degradation(config: Config) -> Degradation:
    """Builds what makes small pictures.

    Raises:
        ValueError: If a value is out of its range, or the file of the kernel is none.
    """
    options = wiring.keywords(config.degradation, "kernel")
    kernel = read_kernel(config.degradation.kernel) if config.degradation.kernel else None
    return Degradation(config.scale, kernel=kernel, **options)


def read_kernel(path: str) -> np.ndarray:
    """Reads a kernel [k, k] from a `.npy` file, scaled to a sum of 1.

    Raises:
        ValueError: If it is no such file.
    """
    try:
        kernel = np.load(path, allow_pickle=False).astype(np.float32)
    # Of a damaged file NumPy raises whatever its header leads to.
    except Exception as error:
        raise ValueError(f"degradation.kernel must be a .npy file, got {path}: {error}") from error
    if kernel.ndim != 2 or not 0 < kernel.sum() < np.inf:
        raise ValueError(
            f"degradation.kernel must hold [k, k] with a positive sum, {path} has "
            f"{list(kernel.shape)}"
        )
    return kernel / kernel.sum()


def sets(config: Config) -> Sets:
    """Opens the pictures to train on and the sets to evaluate on.

    Raises:
        ValueError: If a value is out of its range.
    """
    data = config.data
    check_pictures(config)
    ranges.check(config, "[1, 1_000_000]", "data.patches")
    ranges.check(config, "[0, 1)", "data.val_share")
    options = dict(scale=config.scale, low=data.low)
    drawn = dict(size=data.drawn_size, seed=data.split_seed)
    evaluated = evaluation_sets(data.eval, **options)
    if not data.path:
        train = open_pictures("", data.train, length=data.train_images, **drawn)
        val = open_pictures("", data.val, length=data.val_images, **drawn)
        return Sets(train, evaluated or {"": val})
    train = open_pictures(data.path, data.train, **options)
    if not evaluated:
        train, val = divided(train, data.val_share, data.split_seed)
        evaluated = {"": val}
    return Sets(train, evaluated)


def check_pictures(config: Config) -> None:
    """Checks the sizes of drawn pictures and of the predictor's windows, before any training.

    Raises:
        ValueError: If one is out of its range.
    """
    ranges.check(config, "[8, 4096]", "data.drawn_size")
    eval_transform(config)


def eval_transform(config: Config) -> Windows:
    """Returns how a predictor cuts large pictures.

    Raises:
        ValueError: If a window would consist of overlap alone.
    """
    return Windows(config.eval.tile, config.eval.overlap)


def eval_data(config: Config, info: Mapping[str, Any], split: str) -> Stream:
    """Opens what is evaluated: all sets, whose names the metrics have.

    Args:
        config: The values.
        info: What `info` returned for the training data.
        split: `val`, or `train` for the pictures that were trained on.

    Raises:
        ValueError: If there is no such split.
    """
    del info
    if split not in ("train", "val"):
        raise ValueError(f"split must be train or val, got {split}; name sets with data.eval")
    found = sets(config)
    return eval_stream(config, {"": found.train} if split == "train" else found.evaluated)


def eval_stream(config: Config, evaluated: Mapping[str, Source]) -> Stream:
    """Returns batches of one whole picture each."""
    how = degradation(config)
    joined = Joined({name: prepared(each, how) for name, each in evaluated.items()})
    return Stream(
        InOrder(len(joined), 1),
        whole_example(joined),
        name=joined.name,
        axes=WHOLE,
        num_workers=min(config.num_workers, 2),  # pictures may be large
        on_fault=wiring.on_fault(config, "on_fault"),
        digest=joined.digest,
    )


def train_stream(config: Config, source: Source, y_alone: bool | None) -> Stream:
    """Returns batches of patches; `y_alone` as `prepared` takes it."""
    how = degradation(config)
    kept = prepared(
        source,
        how,
        y_alone=y_alone,
        cache_bytes=config.data.cache_bytes,
        decoded=config.data.decoded,
    )
    example = patch_example(
        repeated(kept, config.data.patches),
        config.image_size,
        how,
        turn=config.augment.turn,
        y_alone=y_alone,
    )
    return Stream(
        Shuffled(len(example.source), config.batch_size),
        example,
        seed=config.seed,
        num_workers=config.num_workers,
        prefetch=config.data.prefetch,
        on_fault=wiring.on_fault(config, "on_fault"),
        name=example.source.name,
        digest=source.digest,
    )


def interpolated(model: Any) -> bool | None:
    """Says what a network's patches are, as `prepared` takes it."""
    return model.channels == 1 if model.interpolates else None


def experiment(config: Config, info: Mapping[str, Any] | None = None) -> Experiment:
    """Wires the experiment, in the order in which data flows.

    Args:
        config: The values.
        info: That of the run which is continued; by default it is computed from the training data.

    Raises:
        ValueError: If a value is out of its range.
    """
    return assembled(config, info, task, __name__)


def assembled(
    config: Config,
    info: Mapping[str, Any] | None,
    build: Callable[[Config, Mapping[str, Any]], SuperResolution],
    recipe: str,
) -> Experiment:
    """Wires the experiment of a task that one optimizer trains.

    Args:
        config: The values.
        info: As for `experiment`.
        build: Makes the task of the values and the info.
        recipe: Name of its module.
    """
    found = sets(config)
    new_run = info is None
    info = _info(config, found.train) if info is None else info
    own = build(config, info)
    print(found.train.describe(), Joined(found.evaluated).describe(), sep="\n")

    train_data = train_stream(config, found.train, interpolated(own.model))
    eval_sets = {"val": EvalSet(eval_stream(config, found.evaluated))}

    epoch = train_data.steps_per_epoch
    rate = wiring.learning_rate(config, epoch=epoch, batch_size=config.batch_size)
    return Experiment(
        task=own,
        train_data=train_data,
        eval_data=eval_sets,
        optimizer=wiring.optimizer(config, rate),
        learning_rate=rate,
        init_from=wiring.init_from(config, config.variant, now=new_run),
        best=Best(best_name(found.evaluated)),
        report=super_resolution_report,
        meta=wiring.meta(recipe, config, info),
        **wiring.run_options(config, epoch),
    )


def best_name(evaluated: Mapping[str, Source]) -> str:
    """Returns the metric whose best checkpoint is kept: PSNR of Y of the first set."""
    first = next(iter(evaluated))
    return f"val/{first}/psnr_y" if first else "val/psnr_y"
