"""`jaxvision pack`: a dataset in a few large files, for disks that are slow at many.

    jaxvision pack --source=coco --path=DIR --split=train2017 --out=DIR2
    python train.py --config configs/yolox.py:s,packed,coco2017 \
        --config.data.path=DIR2

Training reads the same examples from it, bit for bit.
"""

import argparse
import os
import re
from typing import Any

from jaxvision.data.classification import classification_source, is_classification
from jaxvision.data.detection import detection_source
from jaxvision.data.pack import pack
from jaxvision.data.segmentation import LABEL_MAPS, segmentation_source
from jaxvision.train.progress import Progress


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to a command line."""
    parser = subparsers.add_parser(
        "pack",
        help="write a dataset into a few large files",
        description="Writes one split of a dataset of any task into OUT/SPLIT, images as they are "
        "stored. Train on it with --config.data.source=packed --config.data.path=OUT "
        "--config.data.train=SPLIT.",
    )
    parser.add_argument(
        "--source",
        required=True,
        help="format: coco, voc, image_folder, ...; "
        "of label maps masks (images/ and masks/), camvid, voc_masks, cityscapes or coco_masks",
    )
    parser.add_argument("--path", required=True, help="folder of the dataset")
    parser.add_argument("--split", required=True, help="name of the split, or its file")
    parser.add_argument("--out", required=True, help="folder of the packed dataset")
    parser.add_argument("--name", help="name of the packed split; by default as --split")
    parser.add_argument("--classes", help="comma-separated; by default as the data names them")
    parser.add_argument("--images", help="folder of the images in --path, for coco and csv")
    parser.add_argument("--ignore-difficult", action="store_true", help="for voc: as crowds")
    parser.add_argument(
        "--masks", action="store_true", help="for coco and yolo: with instance masks"
    )
    parser.add_argument(
        "--proposals", choices=["selective_search"], default="", help="with regions of interest"
    )
    parser.add_argument("--strict", action="store_true", help="faulty boxes are errors")
    parser.add_argument("--max-side", type=int, help="longest side that images may have, in pixels")
    parser.add_argument("--overwrite", action="store_true", help="replace a packed split")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="threads")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Packs a split; returns the exit code.

    Raises:
        DataError: If the dataset has a fault.
        ValueError: If an option is wrong, or the packed split exists.
        OSError: If writing fails.
    """
    if options.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {options.workers}")
    if options.images and options.source not in ("coco", "csv"):
        raise ValueError(f"--images is for coco and csv, got --source={options.source}")
    if options.ignore_difficult and options.source != "voc":
        raise ValueError(f"--ignore-difficult is for voc, got --source={options.source}")
    if options.masks and options.source not in ("coco", "yolo"):
        raise ValueError(f"--masks is for coco and yolo, got --source={options.source}")
    extra: dict[str, Any] = {"images": options.images} if options.images else {}
    extra |= {name: True for name in ("ignore_difficult", "masks") if getattr(options, name)}
    classes = tuple(options.classes.split(",")) if options.classes else None
    of_label_maps = options.source in LABEL_MAPS
    if options.proposals and (of_label_maps or is_classification(options.source)):
        raise ValueError(f"--proposals is for detection, got --source={options.source}")
    if of_label_maps:
        kind = LABEL_MAPS[options.source]
        source = segmentation_source(kind, options.path, options.split, classes=classes)
    elif is_classification(options.source):
        source = classification_source(options.source, options.path, options.split, classes=classes)
    else:
        source = detection_source(
            options.source,
            options.path,
            options.split,
            classes=classes,
            strict=options.strict,
            proposals=options.proposals,
            **extra,
        )
    print(source.describe())
    # Splits may be files, or several: `VOC2007/trainval+VOC2012/trainval`.
    name = options.name or re.sub(r"[^\w.+-]+", "_", options.split)
    folder = os.path.join(os.path.expanduser(options.out), name)
    origin = {"source": options.source, "path": os.path.abspath(os.path.expanduser(options.path))}
    with Progress(len(source), "images") as progress:
        packed = pack(
            source,
            folder,
            max_side=options.max_side,
            overwrite=options.overwrite,
            options=origin | {"split": options.split, "strict": options.strict} | extra,
            num_workers=options.workers,
            progress=progress,
        )
    held = f"{packed.objects:,} objects"
    if of_label_maps or source.labels is not None:
        held = f"{len(source.classes)} classes"
    shrunk = f", {packed.shrunk:,} of them shrunk" if packed.shrunk else ""
    print(
        f"{folder}: {packed.images:,} images{shrunk}, {held}, "
        f"{packed.bytes / 1e9:.2f} GB\n"
        f"train with --config.data.source=packed --config.data.path={options.out} "
        f"--config.data.train={name}"
    )
    return 0
