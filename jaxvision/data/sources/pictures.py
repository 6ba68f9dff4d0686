"""Pictures without labels, and their counterparts of low resolution."""

import os
from collections.abc import Sequence

import numpy as np

from jaxvision.data.degradation import Degradation, cropped
from jaxvision.data.errors import DataError
from jaxvision.data.image import read_image
from jaxvision.data.imresize import upscaled
from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation, Source, View
from jaxvision.data.ycbcr import luma


class Pictures(Source):
    """Files of pictures, perhaps each with a file of low resolution.

    Without low resolution a sample's `image` is the picture; with it `image` is the small one and
    `target` the picture, cut at the right and bottom to a multiple of its size.
    """

    dense = True

    def __init__(
        self, files: Sequence[str], lows: Sequence[str] | None = None, *, folder: str = ""
    ) -> None:
        """Takes paths of at least one picture, and perhaps those of their counterparts.

        Raises:
            DataError: If there is no picture, or not as many of both.
        """
        if not files or (lows is not None and len(lows) != len(files)):
            raise DataError(
                f"expected pictures, and as many of low resolution, got {len(files)} and "
                f"{len(lows or ())}"
            )
        self._files, self._lows = list(files), None if lows is None else list(lows)
        self._folder = folder

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        """Reads a picture; grey is repeated in three channels, an alpha channel is dropped."""
        self.check_index(index)
        picture = read_image(self._files[index])
        if self._lows is None:
            return Sample(picture, index)
        low = read_image(self._lows[index])
        scale = picture.shape[0] // low.shape[0]
        height, width = scale * low.shape[0], scale * low.shape[1]
        if scale < 1 or max(picture.shape[0] - height, picture.shape[1] - width) >= scale:
            raise DataError(
                f"{self._lows[index]}: {low.shape[1]} x {low.shape[0]} pixels are no whole part of "
                f"{picture.shape[1]} x {picture.shape[0]} in {self._files[index]}"
            )
        return Sample(low, index, target=picture[:height, :width])

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of a picture, which is read."""
        return Annotation(*self[index].size)

    def name(self, index: int) -> str:
        """Returns the path of a picture."""
        return self._files[index]

    def describe(self, max_objects: int | None = None) -> str:
        """Counts the pictures."""
        del max_objects
        beside = "" if self._lows is None else ", each with its counterpart of low resolution"
        return (
            f"{len(self):,} pictures in {self._folder or os.path.dirname(self._files[0])}{beside}"
        )


class Given(Source):
    """Pictures that are in memory."""

    dense = True

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        """Takes RGB [H, W, 3] uint8, at least one."""
        self._pictures = list(pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        """Returns a picture."""
        self.check_index(index)
        return Sample(self._pictures[index], index)


class Degraded(View):
    """Pictures with counterparts of low resolution that are computed from them.

    A picture is cut at the right and bottom to a multiple of the scale. What is drawn at random,
    as noise, is a function of the picture's number. Sources that have counterparts keep theirs.
    """

    def __init__(self, source: Source, degradation: Degradation) -> None:
        """Wraps pictures; nothing is read yet."""
        super().__init__(source)
        self.degradation = degradation
        self.dense = True

    def __getitem__(self, index: int) -> Sample:
        """Returns the small picture as `image` and the large one as `target`.

        Raises:
            DataError: If the picture is smaller than a pixel of the small one.
        """
        sample = self.source[index]
        if sample.target is None:
            picture = cropped(sample.image, self.degradation.scale, self.name(index))
            low = self.degradation(picture, np.random.default_rng([index]))
            # What else the picture shows, as drawn shapes, is of no use here.
            sample = Sample(low, index, target=picture)
        elif sample.target_factor != self.degradation.scale:
            raise DataError(
                f"{self.name(index)}: scale is {self.degradation.scale}, the picture of low "
                f"resolution is {sample.target_factor} times smaller"
            )
        return sample


class Interpolated(View):
    """Small pictures enlarged to their targets' size by bicubic interpolation, float32.

    For networks that take such pictures: patches cut from them do not see their edges.
    """

    def __init__(self, source: Source, *, y_alone: bool) -> None:
        """Wraps pairs of pictures; with `y_alone` images are Y [H, W, 1]."""
        super().__init__(source)
        self._y_alone = y_alone

    def __getitem__(self, index: int) -> Sample:
        """Returns the enlarged picture as `image`."""
        sample = self.source[index]
        image = sample.image.astype(np.float32)
        if self._y_alone:
            image = luma(image)[..., None]
        return sample.replace(image=upscaled(image, sample.target_factor))
