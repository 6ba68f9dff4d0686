"""YOLOv1: one grid of cells, each with classes and two boxes, from fully connected layers.

You Only Look Once, Redmon et al. 2015, https://arxiv.org/abs/1506.02640, section 2 and figure 3.
`yolov1` is the paper's network of 24 convolutions; `yolov1_tiny` equals the authors'
yolov1-tiny.cfg, with batch normalisation; `yolov1_nano` is ours, for small images and a start from
scratch: one pooling less, so that 224 pixels have 7 x 7 cells, and fewer channels at the end.
Departs from the authors' code: images hold values 0 to 255, divided by 255 inside.
"""

import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.layers.pooling import max_pool
from jaxvision.models.backbones.darknet import DETECTOR_NORM, darknet_conv, he_normal, leaky_relu
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.normalized import normalized
from jaxvision.models.variant import detector_fields

# Side of a cell in pixels: 7 x 7 cells in an image of 448 pixels.
STRIDE = 64
# Channels and side of the filter of each convolution; None is 2 x 2 max pooling, a third number the
# stride. Figure 3 from left to right.
_PAPER: tuple[tuple[int, ...] | None, ...] = (
    (64, 7, 2),
    None,
    (192, 3),
    None,
    (128, 1),
    (256, 3),
    (256, 1),
    (512, 3),
    None,
    *((256, 1), (512, 3)) * 4,
    (512, 1),
    (1024, 3),
    None,
    *((512, 1), (1024, 3)) * 2,
    (1024, 3),
    (1024, 3, 2),
    (1024, 3),
    (1024, 3),
)
_TINY: tuple[tuple[int, ...] | None, ...] = (
    *(layer for i in range(6) for layer in ((16 * 2**i, 3), None)),
    (1024, 3),
    (256, 3),
)
_NANO: tuple[tuple[int, ...] | None, ...] = (
    *(layer for i in range(5) for layer in ((16 * 2**i, 3), None)),
    (512, 3),
    (512, 3),
    (32, 1),
)


class YOLOv1(nn.Module):
    """Convolutions, then fully connected layers for all cells at once.

    Attributes:
        num_classes: K.
        boxes: Boxes of a cell.
        hidden: Units of the hidden fully connected layer; 0 for none.
        layers: Channels, side and stride of the convolutions; None for max pooling.
        stride: Side of a cell in pixels, as the layers make it.
        norm: Whether convolutions are normalised in place of having biases.
        shared_start: Whether the last layer starts as one 1 x 1 convolution, the same for all
            cells, in place of at random. Without pretraining, random weights of each cell pull
            the convolutions in directions of their own.
        dropout: Probability of zeroing a hidden unit in training.
        image_mean: Subtracted from the images' channels.
        image_std: The channels are divided by it after that.
        dtype: Of the computation; parameters and predictions are float32.
    """

    num_classes: int
    boxes: int = 2
    hidden: int = 4096
    layers: tuple[tuple[int, ...] | None, ...] = _PAPER
    stride: int = STRIDE
    norm: bool = False
    shared_start: bool = False
    dropout: float = 0.5
    image_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    image_std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dtype: jnp.dtype = jnp.float32
    # The fully connected layers are made for the size of the first images.
    any_size: ClassVar[bool] = False

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> DetectorOutput:
        """Maps RGB images [B, H, W, 3] with values 0 to 255 to predictions for the cells' boxes.

        A is the number of cells times the boxes of each, 98 at 448 x 448. Objectness and class
        scores are numbers, not logits; the boxes of a cell have the same class scores.

        Raises:
            ValueError: If H or W is not a multiple of `stride`.
        """
        x = normalized(images, self.image_mean, self.image_std, multiple=self.stride)
        x = x.astype(self.dtype)
        number = 0
        for layer in self.layers:
            if layer is None:
                x = max_pool(x, window=2, stride=2)
                continue
            number += 1
            x = self._conv(x, layer, f"conv{number}", train=train)
        batch, rows, columns, _ = x.shape
        x = x.reshape(batch, -1)
        dense = functools.partial(nn.Dense, dtype=self.dtype)
        if self.hidden:
            x = leaky_relu(dense(self.hidden, name="hidden")(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        cells = rows * columns
        # As the authors order them: the classes of all cells, then confidences, then boxes.
        parts = (self.num_classes, self.boxes, 4 * self.boxes)
        kernel_init = nn.initializers.lecun_normal()
        if self.shared_start:
            kernel_init = functools.partial(_same_for_all_cells, cells=cells, parts=parts)
        x = dense(cells * sum(parts), kernel_init=kernel_init, name="predict")(x)
        classes, confidences, boxes = jnp.split(
            x.astype(jnp.float32),
            [cells * self.num_classes, cells * (self.num_classes + self.boxes)],
            axis=1,
        )
        classes = jnp.repeat(classes.reshape(batch, cells, -1), self.boxes, axis=1)
        return DetectorOutput(rearrange(boxes, "b (a k) -> b a k", k=4), classes, confidences)

    def _conv(self, x: jax.Array, layer: tuple[int, ...], name: str, *, train: bool) -> jax.Array:
        features, kernel, *stride = layer
        if self.norm:
            block: Any = darknet_conv(norm=DETECTOR_NORM, dtype=self.dtype)
            return block(features, kernel, *stride, name=name)(x, train=train)
        return leaky_relu(
            Conv(
                features,
                (kernel, kernel),
                strides=stride[0] if stride else 1,
                padding=kernel // 2,
                kernel_init=he_normal,
                dtype=self.dtype,
                name=name,
            )(x)
        )


def _same_for_all_cells(
    key: jax.Array,
    shape: tuple[int, int],
    dtype: Any = jnp.float32,
    *,
    cells: int,
    parts: tuple[int, ...],
) -> jax.Array:
    """Draws a 1 x 1 convolution and writes it as a fully connected layer over all cells.

    Args:
        key: Of the random numbers.
        shape: Inputs, cells first, and outputs, each part for all cells.
        dtype: Of the kernel.
        cells: Number of cells.
        parts: Outputs of a cell in each part.
    """
    channels = shape[0] // cells
    kernels = 0.01 * jax.random.normal(key, (channels, sum(parts)), dtype)
    bounds = np.cumsum(parts)[:-1].tolist()
    own_cell = jnp.eye(cells, dtype=dtype)
    whole = [
        jnp.einsum("ij,ck->icjk", own_cell, kernel).reshape(shape[0], -1)
        for kernel in jnp.split(kernels, bounds, axis=1)
    ]
    return jnp.concatenate(whole, axis=1)


VARIANTS: dict[str, dict[str, Any]] = {
    "yolov1": dict(),
    "yolov1_tiny": dict(layers=_TINY, norm=True, hidden=0),
    "yolov1_nano": dict(layers=_NANO, stride=32, norm=True, hidden=0, shared_start=True),
}


def yolov1(variant: str, *, num_classes: int, **overrides: Any) -> YOLOv1:
    """Builds a detector from a row of `VARIANTS`; keywords replace single fields.

    Args:
        variant: A name of `VARIANTS`, with or without its `yolov1`.
        num_classes: K.
        **overrides: Fields of `YOLOv1`.

    Raises:
        ValueError: If there is no such variant.
    """
    fields = detector_fields("yolov1", variant, VARIANTS)
    return YOLOv1(num_classes=num_classes, **(fields | overrides))
