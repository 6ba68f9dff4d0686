"""Decoded pictures in a folder, from which patches are cut without decoding them again."""

import hashlib
import pathlib

import numpy as np

from jaxvision.data.files import replacing
from jaxvision.data.sample import Sample
from jaxvision.data.source import Source, View


class Decoded(View):
    """A source whose images and targets are kept in a folder as raw arrays.

    Arrays are mapped into memory: a patch reads its own part of the disk alone. For sets that do
    not fit into memory; 900 pictures of 2040 x 1400 pixels take 8 GB.
    """

    def __init__(self, source: Source, folder: str, key: str) -> None:
        """Makes the folder; pictures are written when they are first read.

        Args:
            source: Pictures, with or without targets.
            folder: Where the arrays are kept, between runs, too.
            key: What the arrays depend on besides the names of the pictures.
        """
        super().__init__(source)
        self._folder = pathlib.Path(folder).expanduser()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._key = key

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample whose arrays are on the disk."""
        self.check_index(index)
        name = hashlib.sha256(f"{self._key} {self.name(index)}".encode()).hexdigest()[:24]
        image, target = (self._folder / f"{name}_{part}.npy" for part in ("image", "target"))
        if not image.exists():
            sample = self.source[index]
            # The target first: where the image is, both are.
            for path, array in ((target, sample.target), (image, sample.image)):
                if array is not None:
                    with replacing(path) as temporary, temporary.open("wb") as file:
                        np.save(file, array, allow_pickle=False)
        kept = np.load(target, mmap_mode="r") if target.exists() else None
        return Sample(np.load(image, mmap_mode="r"), index, target=kept)
