"""PSNR and SSIM of restored pictures, a mean over the pictures of each set."""

from typing import Any, NamedTuple

import flax.struct
import numpy as np
from clu import metrics

from jaxvision.data.batch import SuperResolutionBatch
from jaxvision.data.imresize import rounded, upscaled
from jaxvision.data.ycbcr import BLACK, RANGE, luma
from jaxvision.metrics.image_quality import psnr, rmse, shaved, ssim

# A picture that is equal to the truth has an infinite PSNR; so much is counted for it.
HIGHEST = 100.0


class PictureQuality(NamedTuple):
    """What was measured of one picture.

    Attributes:
        set: Name of its set, "" for the only one.
        index: Its number.
        values: By name.
    """

    set: str
    index: int
    values: dict[str, float]


@flax.struct.dataclass(eq=False)
class SuperResolutionQuality(metrics.Metric):
    """Measures of pictures; merging joins them.

    Attributes:
        pictures: One for each picture.
    """

    pictures: tuple[PictureQuality, ...] = flax.struct.field(pytree_node=False)

    @classmethod
    def empty(cls) -> "SuperResolutionQuality":
        """Returns the metric of no pictures; merging it changes nothing."""
        return cls(())

    @classmethod
    def from_model_output(
        cls,
        *,
        image: np.ndarray,
        y: np.ndarray | None,
        batch: SuperResolutionBatch,
        border: int,
    ) -> "SuperResolutionQuality":
        """Compares restored pictures with the truth.

        Args:
            image: RGB [B, H, W, 3] in [0, 255], float.
            y: Y [B, H, W] of networks that restore Y alone; None to compute it from `image`.
            batch: The evaluation batch; pictures whose `mask` is False are dropped.
            border: Pixels that are cut off all sides first, the scale in most publications.

        Raises:
            ValueError: If the batch is not an evaluation batch, or sizes differ.
        """
        missing = [name for name in ("target", "mask", "truth") if name not in batch]
        if missing:
            raise ValueError(f"batch must be an evaluation batch, it has no {', '.join(missing)}")
        found = []
        names = batch.get("truth") or []
        for i in np.flatnonzero(np.asarray(batch.get("mask"))).tolist():
            values = _values(
                np.asarray(image[i]),
                None if y is None else np.asarray(y[i]),
                np.asarray(batch["target"][i]),
                np.asarray(batch["image"][i]),
                border,
            )
            found.append(PictureQuality(str(names[i]), int(batch["index"][i]), values))
        return cls(tuple(found))

    def merge(self, other: "SuperResolutionQuality") -> "SuperResolutionQuality":
        """Joins the pictures of both."""
        return SuperResolutionQuality(self.pictures + other.pictures)

    def compute(self) -> dict[str, float]:
        """Averages over the pictures of each set.

        Returns:
            `psnr_y`, `ssim_y`, `psnr_rgb`, `rmse_rgb`, `bicubic_psnr_y` of the bicubic enlargement,
            and `gain_y`, by how many dB the network is above it; as `<set>/psnr_y` of a set that
            has a name.

        Raises:
            ValueError: If there is no picture.
        """
        if not self.pictures:
            raise ValueError("expected the predictions of one or more batches, got none")
        result: dict[str, float] = {}
        for name in dict.fromkeys(picture.set for picture in self.pictures):
            own = [picture.values for picture in self.pictures if picture.set == name]
            prefix = f"{name}/" if name else ""
            for key in own[0]:
                result[prefix + key] = float(np.mean([values[key] for values in own]))
        return result


def _values(
    image: np.ndarray, y: np.ndarray | None, target: np.ndarray, low: np.ndarray, border: int
) -> dict[str, float]:
    if image.shape != target.shape:
        raise ValueError(
            f"predictions must be of the targets' size {target.shape}, got {image.shape}"
        )
    # As MATLAB does, Y is rounded to integers.
    picture, truth = rounded(image), target.astype(np.float64)
    grey = bool((target == target[..., :1]).all())
    true_y = truth[..., 0] if grey else rounded(luma(truth))
    own_y = _levels(luma(picture) if y is None else y, grey)
    bicubic = upscaled(low, target.shape[0] // low.shape[0])
    bicubic_y = _levels(luma(bicubic.astype(np.float64)), grey)
    pair = shaved(own_y, border), shaved(true_y, border)
    quality, baseline = _db(*pair), _db(shaved(bicubic_y, border), pair[1])
    return {
        "psnr_y": quality,
        "ssim_y": ssim(*pair) if min(pair[0].shape) >= 11 else float("nan"),
        "psnr_rgb": _db(shaved(picture, border), shaved(truth, border)),
        "rmse_rgb": rmse(shaved(picture, border), shaved(truth, border)),
        "bicubic_psnr_y": baseline,
        "gain_y": quality - baseline,
    }


def _levels(y: np.ndarray, grey: bool) -> np.ndarray:
    """Rounds Y; a grey picture is measured by its own levels, not by those of television."""
    y = y.astype(np.float64)
    return rounded((y - BLACK) * (255 / RANGE) if grey else y)


def _db(one: np.ndarray, other: Any) -> float:
    return min(psnr(one, other), HIGHEST)
