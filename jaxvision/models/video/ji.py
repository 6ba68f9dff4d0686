"""The first 3D convolutional network, on hard-wired channels.

3D Convolutional Neural Networks for Human Action Recognition, Ji et al. 2013,
https://doi.org/10.1109/TPAMI.2012.59, section 2.2 and figure 3. H1 makes 33 maps of 7 frames: grey
values, their gradients in x and y (7 maps each) and the optical flow in x and y (6 maps each). Two
sets of filters follow, then three for each of them; each channel has its own. With 3 classes and
60 x 40 pixels it has the 295,458 parameters of the paper.

Departs from the paper: the flow is that of Lucas and Kanade at one scale; grey values are those of
the normalised clip; sub-sampling takes means; a clip of another size has another last kernel.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.clip_convolution import ClipConv
from jaxvision.models.variant import fields_of
from jaxvision.ops.optical_flow import optical_flow

# Names of the channels of H1.
CHANNELS = ("grey", "gradient_x", "gradient_y", "flow_x", "flow_y")
_FRAMES = 7


def hard_wired(clips: jax.Array) -> list[jax.Array]:
    """Maps clips [B, T, H, W, C] to the five channels, [B, T or T - 1, H, W] each."""
    grey = clips.astype(jnp.float32).mean(axis=-1)
    by_y, by_x = jnp.gradient(grey, axis=(2, 3))
    flow = optical_flow(grey)
    return [grey, by_x, by_y, flow[..., 0], flow[..., 1]]


class Subsampling(nn.Module):
    """The mean over squares, times a coefficient and plus a bias for each map, then tanh.

    Attributes:
        side: Of the squares in pixels.
    """

    side: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, T, H, W, C] to [B, T, H / side, W / side, C]; each frame is a map."""
        maps = x.shape[1], x.shape[-1]
        window = (1, self.side, self.side)
        x = nn.avg_pool(x, window_shape=window, strides=window)
        coefficient = self.param("coefficient", nn.initializers.ones, maps)
        bias = self.param("bias", nn.initializers.zeros, maps)
        shape = (1, maps[0], 1, 1, maps[1])
        return nn.tanh(
            x * coefficient.reshape(shape).astype(x.dtype) + bias.reshape(shape).astype(x.dtype)
        )


class Ji3DCNN(nn.Module):
    """H1 to S5: 78 maps of a clip.

    Attributes:
        dtype: Of the computation; parameters are float32.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps clips [B, 7, H, W, 3] to {6: S5 [B, 1, H', W', 78]}.

        Raises:
            ValueError: If clips have another number of frames.
        """
        del train
        if clips.shape[1] != _FRAMES:
            raise ValueError(f"data.frames must be {_FRAMES}, got clips of {clips.shape[1]} frames")
        maps = []
        for name, x in zip(CHANNELS, hard_wired(clips), strict=True):
            x = x[..., None].astype(self.dtype)
            # Kernels are of (frames, rows, columns).
            conv = functools.partial(ClipConv, padding=(0, 0, 0), dtype=self.dtype)
            x = conv(2, (3, 7, 7), name=f"c2_{name}")(x)
            x = Subsampling(2, name=f"s3_{name}")(x)
            # Three filters for each of the two sets.
            sets = [conv(3, (3, 7, 6), name=f"c4_{name}_set{i}")(x[..., i - 1 : i]) for i in (1, 2)]
            x = jnp.concatenate(sets, axis=-1)
            x = Subsampling(3, name=f"s5_{name}")(x)
            # Frames become maps.
            x = jnp.moveaxis(x, 1, -2)
            maps.append(x.reshape(*x.shape[:3], -1))
        return {6: jnp.concatenate(maps, axis=-1)[:, None]}


class Ji3DCNNClassifier(nn.Module):
    """C6, 128 units that see all of S5, and a layer without biases.

    Attributes:
        backbone: Network from clips to {6: S5}.
        num_classes: K, 3 in the paper.
    """

    backbone: Ji3DCNN
    num_classes: int = 3

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> jax.Array:
        """Maps clips [B, 7, H, W, 3] to logits [B, K] in float32."""
        x = self.backbone(clips, train=train)[6][:, 0].astype(jnp.float32)
        count = x.shape[-1]
        x = nn.Dense(128, use_bias=False, name="c6")(x.reshape(x.shape[0], -1))
        # The paper counts a bias for each pair of a map of S5 and one of C6.
        bias = self.param("c6_bias", nn.initializers.zeros, (count, 128))
        x = nn.tanh(x + bias.sum(axis=0)[None])
        return nn.Dense(self.num_classes, use_bias=False, name="head")(x)


VARIANTS: dict[str, dict[str, Any]] = {"ji_3d_cnn": dict()}


def ji(variant: str, **overrides: Any) -> Ji3DCNN:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return Ji3DCNN(**(fields_of(variant, VARIANTS) | overrides))


def ji_classifier(variant: str, *, num_classes: int = 3, **overrides: Any) -> Ji3DCNNClassifier:
    """Builds a classifier of clips around `ji(variant, **overrides)`."""
    return Ji3DCNNClassifier(ji(variant, **overrides), num_classes)
