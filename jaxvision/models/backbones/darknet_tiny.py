"""The backbone of the authors' tiny detectors: seven convolutions, max pooling between them.

https://pjreddie.com/darknet/tiny-darknet; the first layers of yolov2-tiny.cfg and yolov3-tiny.cfg.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.layers.csp import ConvFactory
from jaxvision.layers.max_pooling import max_over_windows
from jaxvision.layers.pooling import max_pool


class DarknetTiny(nn.Module):
    """Seven 3 x 3 convolutions, each but the first after 2 x 2 max pooling.

    Attributes:
        conv: Factory of convolution blocks.
        width: Channels of the first convolution; each has twice those of the one before.
        dtype: Of the computation.
    """

    conv: ConvFactory
    width: int = 16
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, 3] to {16: [.., 16 width], 32: [.., 64 width]}."""
        x = images.astype(self.dtype)
        outputs = {}
        for i in range(7):
            if i == 6:  # at stride 1: a row and a column are added at the far side
                x = max_over_windows(x, (2, 2), (1, 1), [(0, 1), (0, 1)])
            elif i:
                x = max_pool(x, window=2, stride=2)
            x = self.conv(self.width * 2**i, 3, name=f"conv{i + 1}")(x, train=train)
            if i == 4:
                outputs[16] = x
        outputs[32] = x
        return outputs
