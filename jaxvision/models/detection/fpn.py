"""The feature pyramid of Lin et al. 2017, with coarser levels on top.

Feature Pyramid Networks, https://arxiv.org/abs/1612.03144, section 3 and figure 3; P6 and P7: Focal
Loss, https://arxiv.org/abs/1708.02002, section 4. Equal to torchvision's.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.convolution import Conv
from jaxvision.ops.resize import upsample_nearest


class FPN(nn.Module):
    """A top-down path that adds, then strided convolutions for the levels above the backbone's.

    Attributes:
        strides: Of the levels to return, ascending, each twice the one before. Those that the
            backbone does not have come on top of it.
        features: Channels of every level.
        extra_from_backbone: Whether the first extra level is computed from the backbone's last
            features (the paper's P6 from C5) or from the pyramid's (torchvision's P6 from P5).
        dtype: Of the computation; parameters are float32.
    """

    strides: tuple[int, ...]
    features: int = 256
    extra_from_backbone: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Mapping[int, jax.Array]) -> dict[int, jax.Array]:
        """Maps {stride: [B, H, W, C]} to {stride: [B, H, W, features]} at `strides`.

        Raises:
            ValueError: If the backbone has no features at the first stride.
        """
        own = [stride for stride in self.strides if stride in features]
        if not own or own != list(self.strides[: len(own)]):
            raise ValueError(
                f"the backbone must have features at the first of the strides {self.strides}, "
                f"got {tuple(features)}"
            )

        def conv(size: int, stride: int, name: str) -> Conv:
            return Conv(
                self.features,
                (size, size),
                strides=(stride, stride),
                padding=[(size // 2, size // 2)] * 2,
                kernel_init=nn.initializers.lecun_uniform(),
                dtype=self.dtype,
                name=name,
            )

        levels, x = {}, None
        for stride in reversed(own):
            lateral = conv(1, 1, f"lateral{_level(stride)}")(features[stride])
            x = lateral if x is None else lateral + upsample_nearest(x)
            levels[stride] = conv(3, 1, f"output{_level(stride)}")(x)
        x = features[own[-1]] if self.extra_from_backbone else levels[own[-1]]
        for i, stride in enumerate(self.strides[len(own) :]):
            x = conv(3, 2, f"extra{_level(stride)}")(nn.relu(x) if i else x)
            levels[stride] = x
        return {stride: levels[stride] for stride in self.strides}


def _level(stride: int) -> int:
    """The paper's number of a level: 3 for stride 8."""
    return stride.bit_length() - 1
