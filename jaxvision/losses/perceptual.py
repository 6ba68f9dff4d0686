"""Distance of two pictures in the features of a classifier.

Ledig et al. 2016, https://arxiv.org/abs/1609.04802, equation 5; Wang et al. 2018,
https://arxiv.org/abs/1809.00219, section 3.3, takes features before the activation.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.losses.pixels import pixel_loss
from jaxvision.models.backbones.vgg import VGG, vgg
from jaxvision.ops import ranges

# By name: convolutions of the stages up to the layer. VGG22 and VGG54 of the paper.
LAYERS = {"conv2_2": (2, 2), "conv5_4": (2, 2, 4, 4, 4)}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Perceptual:
    """Features of VGG19, whose variables are not trained.

    Attributes:
        layer: A name of `LAYERS`.
        activated: Whether features are those after the ReLU.
        name: `l1` or `l2` distance.
        scale: Factor of the features; 1 / 12.75 in SRGAN's paper.

    Raises:
        ValueError: If there is no such layer, or the scale is not positive.
    """

    layer: str = "conv5_4"
    activated: bool = True
    name: str = "l2"
    scale: float = 1 / 12.75

    def __post_init__(self) -> None:
        if self.layer not in LAYERS:
            raise ValueError(
                f"loss.perceptual_layer must be one of {', '.join(LAYERS)}, got {self.layer}"
            )
        ranges.check(self, "(0, inf)", "scale")

    @property
    def network(self) -> VGG:
        """The network up to the layer; its variables are those of the whole one."""
        depths = LAYERS[self.layer]
        return vgg("vgg19", depths=depths, last_relu=self.activated)

    def layers(self) -> tuple[str, ...]:
        """Names the convolutions up to the layer."""
        return tuple(
            f"stage{stage}_conv{i}"
            for stage, depth in enumerate(LAYERS[self.layer], start=1)
            for i in range(1, depth + 1)
        )

    def features(self, variables: Any, images: jax.Array) -> jax.Array:
        """Computes the features [B, H / s, W / s, C] of pictures [B, H, W, 3] in [0, 1]."""
        mean, std = (jnp.asarray(x, jnp.float32).reshape(1, 1, 1, 3) for x in (_MEAN, _STD))
        maps = self.network.apply(variables, (images - mean) / std, train=False)
        # Stage k ends at stride 2^(k - 1), before its pool.
        return maps[2 ** (len(LAYERS[self.layer]) - 1)]  # pyright: ignore[reportArgumentType,reportCallIssue]

    def __call__(self, variables: Any, one: jax.Array, other: jax.Array) -> jax.Array:
        """Computes the distance of pictures [B, H, W, 3] in [0, 1]; `other` gets no gradient."""
        theirs = jax.lax.stop_gradient(self.features(variables, other))
        return pixel_loss(
            self.name, self.scale * self.features(variables, one), self.scale * theirs
        )
