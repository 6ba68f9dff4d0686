"""C3D: eight 3 x 3 x 3 convolutions.

Learning Spatiotemporal Features with 3D Convolutional Networks, Tran et al. 2015,
https://arxiv.org/abs/1412.0767, figure 3. The paper pools 16 frames of 112 x 112 pixels down to
maps of 4 x 4; so the last pool is padded by a pixel in space, as in the authors' code.

Departs from the paper: initial values are those of He et al. 2015, where theirs need the image mean
subtracted and a slow start.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.clip_convolution import ClipConv
from jaxvision.layers.pooling import max_pool
from jaxvision.models.variant import fields_of

# Name and width of the convolutions before each pool.
_STAGES = (
    (("conv1", 64),),
    (("conv2", 128),),
    (("conv3a", 256), ("conv3b", 256)),
    (("conv4a", 512), ("conv4b", 512)),
    (("conv5a", 512), ("conv5b", 512)),
)


def pool_clips(x: jax.Array, frames: int, padding: int = 0) -> jax.Array:
    """Takes maxima over windows of `frames` frames of 2 x 2 pixels that do not overlap.

    Args:
        x: Features [B, T, H, W, C].
        frames: Frames of a window; those that do not fill one are dropped.
        padding: Pixels added on each side in space.

    Returns:
        Features [B, T / frames, (H + 2 * padding) / 2, ..., C], rounded down.
    """
    batch, length = x.shape[:2]
    x = max_pool(x.reshape(-1, *x.shape[2:]), 2, 2, padding)
    x = x.reshape(batch, length, *x.shape[1:])[:, : length // frames * frames]
    return x.reshape(batch, -1, frames, *x.shape[2:]).max(axis=2)


class C3D(nn.Module):
    """Convolutions of five stages, each pooled; the first pool leaves the frames apart.

    Attributes:
        dtype: Of the computation; parameters are float32.
    """

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps clips [B, T, H, W, 3] to {2, 4, 8, 16, 32: pooled}; keys are strides in space."""
        x, outputs = clips.astype(self.dtype), {}
        for i, stage in enumerate(_STAGES, start=1):
            for name, features in stage:
                x = ClipConv(
                    features, kernel_init=nn.initializers.he_normal(), dtype=self.dtype, name=name
                )(x)
                x = nn.relu(x)
            x = pool_clips(x, 1 if i == 1 else 2, padding=1 if i == 5 else 0)
            outputs[2**i] = x
        return outputs


class C3DClassifier(nn.Module):
    """C3D and three dense layers, which take clips of the size that they were initialised with.

    Attributes:
        backbone: Network from clips to {stride: features}.
        num_classes: K.
        hidden: Units of each hidden layer.
        dropout: Probability of zeroing a hidden unit in training.
    """

    backbone: C3D
    num_classes: int = 101
    hidden: int = 4096
    dropout: float = 0.5

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> jax.Array:
        """Maps clips [B, T, H, W, 3] to logits [B, K] in float32."""
        x = self.backbone(clips, train=train)[32]
        x = x.reshape(x.shape[0], -1)
        for name in ("fc6", "fc7"):
            x = nn.Dense(
                self.hidden,
                kernel_init=nn.initializers.he_normal(),
                dtype=self.backbone.dtype,
                name=name,
            )(x)
            x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))
        return nn.Dense(self.num_classes, kernel_init=nn.initializers.normal(0.01), name="fc8")(
            x.astype(jnp.float32)
        )


VARIANTS: dict[str, dict[str, Any]] = {"c3d": dict()}


def c3d(variant: str, **overrides: Any) -> C3D:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return C3D(**(fields_of(variant, VARIANTS) | overrides))


def c3d_classifier(
    variant: str,
    *,
    num_classes: int = 101,
    hidden: int = 4096,
    dropout: float = 0.5,
    **overrides: Any,
) -> C3DClassifier:
    """Builds a classifier of clips around `c3d(variant, **overrides)`."""
    return C3DClassifier(c3d(variant, **overrides), num_classes, hidden, dropout)
