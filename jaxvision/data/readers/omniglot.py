"""Omniglot (Lake et al. 2015): characters of alphabets, each drawn by twenty people.

https://github.com/brendenlake/omniglot: archives `images_*.zip` of black strokes on white,
`<archive>/<alphabet>/<character>/<drawing>.png`.
"""

import dataclasses
import os
import pathlib

import cv2
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image
from jaxvision.data.readers.zip_file import ZipMembers
from jaxvision.data.sample import Sample
from jaxvision.data.sources.labelled import LabelledArrays


def omniglot(
    path: str, alphabets: tuple[str, ...] = (), *, without: tuple[str, ...] = (), side: int = 28
) -> LabelledArrays:
    """Reads the characters of some alphabets; all of it is held in memory, white on black.

    Args:
        path: An archive `images_*.zip`, or a folder of some.
        alphabets: Their names; () for all.
        without: Alphabets that are left out.
        side: Height and width in pixels to which drawings are scaled, by area.

    Returns:
        Images whose classes are `<alphabet>/<character>`.

    Raises:
        DataError: If there is no archive or no such alphabet, or an image is damaged.
    """
    archives = [ZipMembers(os.fspath(file)) for file in _archives(pathlib.Path(path))]
    found: dict[str, list[tuple[ZipMembers, int]]] = {}
    for archive in archives:
        for number in range(len(archive)):
            parts = pathlib.PurePosixPath(os.fsdecode(archive.names[number])).parts
            if len(parts) >= 3 and parts[-1].endswith(".png"):
                found.setdefault("/".join(parts[-3:-1]), []).append((archive, number))
    known = sorted({name.split("/")[0] for name in found})
    if missing := sorted({*alphabets, *without} - set(known)):
        raise DataError(
            f"{path}: there is no alphabet {', '.join(missing)}; it has {', '.join(known)}"
        )
    chosen = set(alphabets or known) - set(without)
    classes = tuple(sorted(name for name in found if name.split("/")[0] in chosen))
    if not classes:
        raise DataError(f"{path}: no alphabet is left; it has {', '.join(known)}")
    pixels, labels = [], []
    for label, name in enumerate(classes):
        for archive, number in found[name]:
            image = decode_image(archive.read(number), archive.name(number))
            pixels.append(white_on_black(image, side))
            labels.append(label)
    name = f"{path} {', '.join(sorted(chosen))}"
    stacked = np.stack(pixels)[..., None]
    return LabelledArrays(name, classes, np.array(labels, np.int32), stacked)


def white_on_black(image: np.ndarray, side: int) -> np.ndarray:
    """Maps dark strokes on white [H, W, 3] uint8 to white ones on black [side, side], by area."""
    return cv2.resize(255 - image[..., 0], (side, side), interpolation=cv2.INTER_AREA)


@dataclasses.dataclass(frozen=True)
class WhiteOnBlack:
    """Prepares a drawing as `omniglot` does.

    Attributes:
        side: Height and width of the result in pixels.
    """

    side: int

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Maps a sample of any size to one of [side, side, 3]."""
        small = white_on_black(sample.image, self.side)
        return sample.replace(image=np.repeat(small[..., None], 3, axis=2))


def _archives(path: pathlib.Path) -> list[pathlib.Path]:
    if path.is_file():
        return [path]
    if found := sorted(path.glob("images_*.zip")):
        return found
    raise DataError(f"{path}: expected an archive images_*.zip of Omniglot, or a folder of some")
