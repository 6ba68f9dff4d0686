"""The sliding window of before CNNs: histograms of oriented gradients and linear classifiers.

Histograms of Oriented Gradients for Human Detection, Dalal and Triggs 2005. A window slides over an
image pyramid; a linear classifier for each class scores its blocks, which is a convolution.
"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.models.variant import detector_fields
from jaxvision.ops.hog import BLOCK, hog


class WindowScores(NamedTuple):
    """Scores of the windows of B images.

    Attributes:
        class_logits: Distances from the planes of the classes [B, A, K].
    """

    class_logits: jax.Array


class HOGSVM(nn.Module):
    """An image pyramid, HOG, and a linear classifier for each class.

    Attributes:
        num_classes: K.
        cell: Side of a cell in pixels.
        window: Cells along a side of the window.
        scales: Factors of the image's sides, one for each level of the pyramid.
        dtype: Not used: gradients and scores are float32.
    """

    num_classes: int
    cell: int = 8
    window: int = 8
    scales: tuple[float, ...] = (1.0, 0.75, 0.5, 0.375, 0.25)
    dtype: jnp.dtype = jnp.float32

    # Convolutions take images of any size.
    any_size: ClassVar[bool] = True

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> WindowScores:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to scores of A windows."""
        del train
        classify = Conv(
            self.num_classes,
            (self.window - BLOCK + 1,) * 2,
            padding="VALID",
            kernel_init=nn.initializers.zeros,
            name="classify",
        )
        # Gamma of 1 / 2, the paper's best colour space.
        images = jnp.sqrt(images.astype(jnp.float32) / 255.0)
        batch, height, width, channels = images.shape
        found = []
        for level in level_sizes(height, width, self.cell, self.window, self.scales):
            shape = (batch, *level, channels)
            scores = classify(hog(jax.image.resize(images, shape, "linear"), cell=self.cell))
            found.append(scores.reshape(batch, -1, self.num_classes))
        return WindowScores(jnp.concatenate(found, axis=1))


def level_sizes(
    height: int, width: int, cell: int, window: int, scales: tuple[float, ...]
) -> list[tuple[int, int]]:
    """Lists height and width of the pyramid's levels, in pixels: those that hold a window.

    Raises:
        ValueError: If none does.
    """
    levels = [
        (round(height * scale / cell) * cell, round(width * scale / cell) * cell)
        for scale in scales
    ]
    levels = [level for level in levels if min(level) >= window * cell]
    if not levels:
        raise ValueError(
            f"images must have at least {window} cells of {cell} pixels on a side at some of the "
            f"scales {tuple(scales)}, got {height} x {width} pixels"
        )
    return levels


def window_boxes(
    height: int, width: int, cell: int, window: int, scales: tuple[float, ...]
) -> np.ndarray:
    """Places the windows in the order of the scores, xyxy in pixels of the image [A, 4] float32."""
    boxes = []
    for rows, columns in level_sizes(height, width, cell, window, scales):
        y, x = np.mgrid[: rows // cell - window + 1, : columns // cell - window + 1]
        corner = np.stack([x, y], axis=-1).reshape(-1, 2)
        factor = np.array([width / columns, height / rows]) * cell
        boxes.append(np.concatenate([corner * factor, (corner + window) * factor], axis=1))
    return np.concatenate(boxes).astype(np.float32)


# Windows of 64 pixels, and of 24 for images whose objects are small.
VARIANTS: dict[str, dict[str, Any]] = {
    "hog_svm": dict(),
    "hog_svm_tiny": dict(cell=4, window=6, scales=(1.4, 1.1, 0.9, 0.72, 0.58, 0.46, 0.37)),
}


def hog_svm(variant: str, *, num_classes: int, **overrides: Any) -> HOGSVM:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `hog_svm`.
        num_classes: K.
        **overrides: Fields of `HOGSVM`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("hog_svm", variant, VARIANTS)
    return HOGSVM(num_classes=num_classes, **(fields | overrides))
