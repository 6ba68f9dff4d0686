"""From a source's image to one row of a `ClassificationBatch`."""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.augment.center_crop import CenterCrop
from jaxvision.data.augment.pad_crop import PadCrop
from jaxvision.data.augment.rand_augment import RandAugment
from jaxvision.data.augment.random_resized_crop import RandomResizedCrop
from jaxvision.data.classification_example import ClassificationSource


@dataclasses.dataclass(frozen=True)
class ClassificationTrainSample:
    """Draws one training image of a source: crop, mirror image, RandAugment.

    Mixing of images and erasing belong to the task, which does them on the device.

    Attributes:
        source: Where the images come from.
        crop: Gives all images one size.
        flip: Probability of a mirror image.
        augment: Changes the crop, if it is given.
    """

    source: ClassificationSource
    crop: RandomResizedCrop | PadCrop
    flip: float = 0.5
    augment: RandAugment | None = None

    def __call__(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Returns image [H, W, 3], index [], and label [] or targets [K]."""
        if isinstance(self.crop, RandomResizedCrop):
            # The window comes first: what is thrown away need not be decoded at full size.
            window = self.crop.window(*self.source.size(index), rng)
            image, reduction = self.source.image(index, self.crop.reduction(window))
            image = self.crop.cut(image, window, reduction)
        else:
            image = self.crop(self.source.image(index)[0], rng)
        if rng.random() < self.flip:
            image = cv2.flip(image, 1)
        if self.augment is not None:
            image = self.augment(image, rng)
        return {"image": image, **_rest(self.source, index)}


@dataclasses.dataclass(frozen=True)
class ClassificationEvalSample:
    """Prepares one image of a source for evaluation.

    Attributes:
        source: Where the images come from.
        crop: Gives all images one size.
    """

    source: ClassificationSource
    crop: CenterCrop

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        """Returns the keys of a `ClassificationBatch` for one image, all but `mask`."""
        return {"image": self.crop(self.source.image(index)[0]), **_rest(self.source, index)}


def _rest(source: ClassificationSource, index: int) -> dict[str, np.ndarray]:
    label = source.labels[index]
    name = "label" if source.labels.ndim == 1 else "targets"
    return {name: np.asarray(label), "index": np.asarray(index, np.int32)}
