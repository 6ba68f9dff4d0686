"""`jaxvision labelme`: draws the polygons of labelme's JSON files as label maps.

jaxvision labelme photos/ --out=DIR --split=train
"""

import argparse
import os
import shutil
from pathlib import Path

from jaxvision.data.errors import DataError
from jaxvision.data.files import write_whole
from jaxvision.data.image import image_size, read_bytes
from jaxvision.data.label_map import encode_label_map
from jaxvision.data.readers.checks import read_text
from jaxvision.data.readers.labelme import draw_labelme, read_labelme

_BACKGROUND = "background"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "labelme",
        help="draw labelme's polygons as label maps",
        description="Writes OUT/images/SPLIT, OUT/masks/SPLIT and OUT/classes.txt, which training "
        "reads with --config.data.source=folder. Later shapes cover earlier ones.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="holds the JSON files and their images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--split", default="train", help="%(default)s")
    parser.add_argument(
        "--classes",
        help="a,b,... in the order of their numbers from 1; by default those of OUT/classes.txt, "
        "or all labels, sorted",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Converts; returns the exit code.

    Raises:
        DataError: If a file is not labelme's, an image is missing or a class is unknown.
        OSError: If a file cannot be written.
    """
    found = read_labelme(os.path.expanduser(options.folder))
    classes = _classes(options, {label for each in found for label, _, _ in each.shapes})
    # Imported here: other commands need not wait for charts.
    from jaxvision.plots.segmentation import class_colours

    palette = class_colours(classes)
    drawn = []
    for each in found:
        size = image_size(read_bytes(each.image), each.image)
        if size != each.size:
            raise DataError(
                f"{each.file}: imageHeight and imageWidth are {each.size[0]} x {each.size[1]}, the "
                f"image has {size[0]} x {size[1]}",
                code="wrong-size",
            )
        drawn.append(encode_label_map(draw_labelme(each, classes), palette))
    images, masks = (options.out / kind / options.split for kind in ("images", "masks"))
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    for each, data in zip(found, drawn, strict=True):
        stem = Path(each.file).stem
        shutil.copyfile(each.image, images / f"{stem}{Path(each.image).suffix.lower()}")
        write_whole(masks / f"{stem}.png", data)
    write_whole(options.out / "classes.txt", "".join(f"{name}\n" for name in classes))
    print(f"wrote {len(found):,} images and label maps of {', '.join(classes)} to {options.out}")
    return 0


def _classes(options: argparse.Namespace, labels: set[str]) -> tuple[str, ...]:
    """Returns the classes, background first."""
    file = options.out / "classes.txt"
    if options.classes:
        names = [name.strip() for name in options.classes.split(",")]
    elif file.exists():
        names = list(filter(None, map(str.strip, read_text(str(file), "classes").splitlines())))
    else:
        names = sorted(labels)
    others = [name for name in names if name != _BACKGROUND]
    return (_BACKGROUND, *others)
