"""Training at several image sizes, a new one every few steps.

YOLO9000 (Redmon and Farhadi 2017, https://arxiv.org/abs/1612.08242, section 2) and YOLOX (Ge et al.
2021, https://arxiv.org/abs/2107.08430) draw a new size every ten steps.
"""

import dataclasses

import numpy as np

from jaxvision.ops import ranges


@dataclasses.dataclass(frozen=True)
class MultiScale:
    """The side of a square input as a function of the step.

    Departs from the reference (YOLOX): images are made at the size itself, there the batch is
    resized; the sizes are a short list, since each is compiled separately, there all multiples of
    32 in a range.

    Attributes:
        sizes: Sides in pixels; each is as likely.
        every: Steps that a size lasts.
        seed: Of the draws; in [0, 2^32).
    """

    sizes: tuple[int, ...]
    every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sizes:
            raise ValueError("sizes must be at least one number, got none")
        ranges.check(self, "[1, inf)", "sizes", "every")

    def __call__(self, step: int) -> int:
        """Returns the side of the images of the batch number `step`, from 0 on."""
        rng = np.random.default_rng((self.seed, step // self.every))
        return self.sizes[int(rng.integers(len(self.sizes)))]
