"""`jaxvision check-data`: reads a dataset as training does and reports what is wrong.

jaxvision check-data --source=coco --path=DIR --train=train2017 --val=val2017
jaxvision check-data --source=folder --path=DIR
jaxvision check-data --source=masks --path=DIR
jaxvision check-data --source=text --path=DIR --languages=en,de
"""

import argparse
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from jaxvision.check.dataset import CheckedSplit, check_dataset
from jaxvision.check.folders import check_folders
from jaxvision.check.html import as_html
from jaxvision.check.label_maps import check_label_maps
from jaxvision.check.parallel_text import check_parallel
from jaxvision.check.summary import Summary
from jaxvision.check.text import as_json, as_text
from jaxvision.data.files import write_whole
from jaxvision.data.segmentation import LABEL_MAPS
from jaxvision.data.sources.subset import Subset
from jaxvision.train.progress import Progress

_DESCRIPTION = """
Reads every annotation and every image of a dataset, or every sentence, as training would, prints
what is wrong with it and what to do about it, and writes report.html, report.json and, of images,
contact_sheet.png, which shows training samples. Exit code: 0 if training would run, 1 if it would
stop or learn nothing, 2 for a wrong command line.
"""
_CONTACT_SHEET = "contact_sheet.png"
_ALIASES = {"folder": "image_folder", "text": "parallel"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "check-data", help="report what is wrong with a dataset", description=_DESCRIPTION
    )
    parser.add_argument(
        "--source",
        required=True,
        help="format, as in training: coco, voc, yolo, csv, packed or tfds:<name> for detection, "
        "image_folder (or folder) for classification, masks (images/ and masks/), camvid, "
        "voc_masks, cityscapes or coco_masks for segmentation, parallel (or text) for translation",
    )
    parser.add_argument("--path", required=True, help="folder of the dataset")
    parser.add_argument(
        "--train", help="split that is trained on; of folders and text by default train"
    )
    parser.add_argument(
        "--val", help="split that is evaluated on; of folders and text by default val, if it exists"
    )
    parser.add_argument(
        "--languages", default="en,de", help="endings of the files of text; %(default)s"
    )
    parser.add_argument("--classes", help="names a,b,...; by default the training split's own")
    parser.add_argument(
        "--image-size", type=int, default=640, help="side of the network's input; %(default)s"
    )
    parser.add_argument(
        "--samples", type=int, default=16, help="images in the contact sheet; %(default)s"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder to write to, over an earlier report; by default check-data/<name of the "
        "dataset's folder>",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the contact sheet; %(default)s"
    )
    parser.add_argument(
        "--workers", type=int, default=2, help="threads that read images; %(default)s"
    )
    parser.add_argument(
        "--max-objects", type=int, default=120, help="objects trained on an image; %(default)s"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Checks a dataset and writes the report.

    Raises:
        ValueError: If an option is wrong.
        OSError: If the report cannot be written.
    """
    path = os.path.expanduser(options.path)
    classes = tuple(options.classes.split(",")) if options.classes else None
    _check_options(options, path, classes)
    name = Path(path).resolve()
    out = options.out or Path("check-data", name.stem if name.is_file() else name.name)
    _check_writable(out)

    kind: str = _ALIASES.get(options.source) or options.source
    checks = {"image_folder": _check_folders, "parallel": _check_text}
    checks |= dict.fromkeys(LABEL_MAPS, _check_label_maps)
    check = checks.get(kind, _check_detection)
    progress = _Bars()
    try:
        checked = check(options, path, classes, progress)
    finally:
        progress.close()
    _write(out, checked)
    print(checked.text)
    print(f"wrote {', '.join(str(out / name) for name in _names(checked.sheet is not None))}")
    return 0 if checked.trainable else 1


class _Checked(NamedTuple):
    """What is printed and written.

    Attributes:
        trainable: Whether training would run, and learn something.
        text: For the terminal.
        page: Makes the page of the name of the contact sheet, if there is one.
        json: For programs.
        sheet: RGB [H, W, 3] uint8, or None.
    """

    trainable: bool
    text: str
    page: Callable[[str | None], str]
    json: str
    sheet: np.ndarray | None


def _check_detection(
    options: argparse.Namespace, path: str, classes: tuple[str, ...] | None, progress: "_Bars"
) -> _Checked:
    if not options.train:
        raise ValueError("--train must name the split that is trained on, got none")
    splits = {"train": options.train} | ({"val": options.val} if options.val else {})
    report, opened = check_dataset(
        options.source,
        path,
        splits,
        classes=classes,
        image_size=options.image_size,
        max_objects=options.max_objects,
        workers=options.workers,
        progress=progress.start,
    )
    progress.close()
    return _Checked(
        report.trainable,
        as_text(report),
        functools.partial(as_html, report),
        as_json(report),
        _sheet(options, opened.get("train")),
    )


def _check_folders(
    options: argparse.Namespace, path: str, classes: tuple[str, ...] | None, progress: "_Bars"
) -> _Checked:
    splits = _splits(options, path, ("val", "val.zip"))
    summary, train, readable = check_folders(
        path, splits, classes=classes, workers=options.workers, progress=progress.start
    )
    progress.close()
    sheet = None
    if train is not None and options.samples and readable.size:
        from jaxvision.cli.training_sheet import class_sheet

        sheet = class_sheet(Subset(train, readable), samples=options.samples, seed=options.seed)
    return _summarised(summary, sheet)


def _check_label_maps(
    options: argparse.Namespace, path: str, classes: tuple[str, ...] | None, progress: "_Bars"
) -> _Checked:
    there = ("val", "images/val", "leftImg8bit/val", "ImageSets/Segmentation/val.txt")
    summary, train = check_label_maps(
        LABEL_MAPS[options.source],
        path,
        _splits(options, path, there),
        classes=classes,
        progress=progress.start,
    )
    progress.close()
    sheet = None
    if train is not None and options.samples and train.readable.any():
        from jaxvision.cli.training_sheet import label_map_sheet

        readable = Subset(train.source, np.flatnonzero(train.readable))
        sheet = label_map_sheet(readable, samples=options.samples, seed=options.seed)
    return _summarised(summary, sheet)


def _check_text(
    options: argparse.Namespace, path: str, classes: tuple[str, ...] | None, progress: "_Bars"
) -> _Checked:
    del classes, progress
    languages = tuple(options.languages.split(","))
    if len(languages) != 2 or "" in languages or languages[0] == languages[1]:
        raise ValueError(f"--languages must be two, as en,de, got {options.languages}")
    first = f"val.{languages[0]}"
    return _summarised(
        check_parallel(path, _splits(options, path, (first, f"{first}.gz")), languages), None
    )


def _splits(options: argparse.Namespace, path: str, val: Sequence[str]) -> dict[str, str]:
    """Returns the splits; `val` without being asked for if one of these names is there."""
    there = any(os.path.exists(os.path.join(path, name)) for name in val)
    found = options.val or ("val" if there else "")
    return {"train": options.train or "train"} | ({"val": found} if found else {})


def _summarised(summary: Summary, sheet: np.ndarray | None) -> _Checked:
    text, json = summary.as_text(), summary.as_json()
    return _Checked(summary.trainable, text, summary.as_html, json, sheet)


def _check_options(options: argparse.Namespace, path: str, classes: tuple[str, ...] | None) -> None:
    if not os.path.exists(path):
        raise ValueError(f"--path must be the folder of a dataset, got {path}, which is not there")
    if classes and (len(set(classes)) < len(classes) or "" in classes):
        raise ValueError(f"--classes must be different names, got {options.classes}")
    if options.image_size < 32 or options.image_size % 32:
        raise ValueError(f"--image-size must be a multiple of 32, got {options.image_size}")
    for name, least in (("samples", 0), ("workers", 1), ("seed", 0), ("max_objects", 1)):
        value = getattr(options, name)
        if value < least:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be at least {least}, got {value}")


def _check_writable(folder: Path) -> None:
    """Checks, before an hour of reading, that a folder can be written to or made."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"--out must be a folder that can be written to, got {folder}")


class _Bars:
    """A bar for each split on a terminal, a line elsewhere."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def start(self, split: str, total: int) -> Callable[[int], None]:
        self.close()
        self._bar = bar = Progress(total, "images")
        bar.message(f"reading the {total:,} images of {split}")
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bar(done)

        return advance

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _sheet(options: argparse.Namespace, train: CheckedSplit | None) -> np.ndarray | None:
    """Draws samples from the readable images; None if there is none."""
    if train is None or not options.samples:
        return None
    # Imported here: other commands need not wait for charts and JAX.
    from jaxvision.cli.training_sheet import training_sheet

    readable = np.flatnonzero(train.images.readable)
    if not readable.size:
        return None
    return training_sheet(
        Subset(train.source, readable),
        samples=options.samples,
        image_size=options.image_size,
        max_objects=options.max_objects,
        seed=options.seed,
    )


def _names(with_sheet: bool) -> list[str]:
    return ["report.html", "report.json", *([_CONTACT_SHEET] if with_sheet else [])]


def _write(out: Path, checked: _Checked) -> None:
    """Writes the files, each whole, over those of an earlier check."""
    sheet = checked.sheet
    page = checked.page(None if sheet is None else _CONTACT_SHEET)
    contents: list[str | bytes] = [page, checked.json]
    if sheet is not None:
        contents.append(cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())
    out.mkdir(parents=True, exist_ok=True)
    # A sheet of an earlier check would stay beside a report that has none.
    (out / _CONTACT_SHEET).unlink(missing_ok=True)
    for name, content in zip(_names(sheet is not None), contents, strict=True):
        write_whole(out / name, content)
