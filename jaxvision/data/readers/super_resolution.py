"""Folders of pictures, and the layouts of the usual sets of super-resolution.

| set | high resolution | low resolution, by scale s |
|---|---|---|
| Set5, Set14, BSD100, Urban100 | `HR/*.png` | `LRx<s>/<same name>` |
| the same, as SelfExSR has them | `image_SRF_<s>/*_HR.png` | `image_SRF_<s>/*_LR.png` |
| DIV2K, Flickr2K | `*_train_HR/`, `*_valid_HR/` | `*_<split>_LR_bicubic/X<s>/<name>x<s>.png` |
| any folder | all pictures in it and below | - |
"""

import os
import pathlib
from collections.abc import Sequence

from jaxvision.data.errors import DataError
from jaxvision.data.readers.checks import IMAGE_SUFFIXES
from jaxvision.data.sources.pictures import Pictures


def picture_folder(path: str, split: str = "", *, scale: int = 1, low: bool = False) -> Pictures:
    """Opens a folder of pictures in one of the layouts above, or a single picture.

    Args:
        path: The folder or the picture.
        split: Of DIV2K's layout, `train` or `valid`; also a folder of that name in `path`.
        scale: Of the low-resolution pictures.
        low: Whether to read these, too.

    Raises:
        DataError: If there is no picture, or one has no counterpart of low resolution.
    """
    root = pathlib.Path(path).expanduser()
    if root.is_file():
        if low:
            raise DataError(f"{path}: a single picture has no counterpart of low resolution")
        return Pictures([str(root)], folder=str(root.parent))
    if not root.is_dir():
        raise DataError(
            f"{path}: there is no such folder of pictures; give one with data.path or data.eval"
        )
    files, lows = _files(root, split, scale)
    if not files:
        raise DataError(
            f"{path}: no picture ({', '.join(IMAGE_SUFFIXES)}) is in this folder or below it"
        )
    if low:
        missing = [lows[i] for i in range(len(files)) if not os.path.isfile(lows[i])] or (
            [] if lows else ["a layout with pictures of low resolution"]
        )
        if missing:
            raise DataError(
                f"{path}: {missing[0]} is missing; expected HR/<name> and LRx{scale}/<name>, or "
                "data.low empty, which computes the pictures of low resolution"
            )
    return Pictures(files, lows if low else None, folder=str(root))


def _files(root: pathlib.Path, split: str, scale: int) -> tuple[list[str], list[str]]:
    """Lists pictures, and where their counterparts of low resolution would be."""
    if (root / "HR").is_dir():
        files = _pictures(root / "HR")
        return _both(files, [root / f"LRx{scale}" / file.name for file in files])
    if (folder := root / f"image_SRF_{scale}").is_dir():
        files = [file for file in _pictures(folder) if file.stem.endswith("_HR")]
        return _both(files, [file.with_name(file.name.replace("_HR.", "_LR.")) for file in files])
    if split and (found := sorted(root.glob(f"*_{split}_HR"))):
        files = _pictures(found[0])
        name = found[0].name.removesuffix("_HR")
        low = root / f"{name}_LR_bicubic" / f"X{scale}"
        return _both(files, [low / f"{file.stem}x{scale}{file.suffix}" for file in files])
    folder = root / split if split and (root / split).is_dir() else root
    return [str(file) for file in _pictures(folder)], []


def _both(
    files: Sequence[pathlib.Path], lows: Sequence[pathlib.Path]
) -> tuple[list[str], list[str]]:
    return [str(file) for file in files], [str(file) for file in lows]


def _pictures(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    )
