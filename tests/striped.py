"""A segmenter that needs no training: the class of a pixel is the brightest of its channels."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.inference.segmenter import Segmenter
from jaxvision.tasks.segmentation import SemanticSegmentation

NAMES = ("background", "green", "blue")


class Channels(nn.Module):
    """Logits are the means of the channels over squares of `side` pixels.

    Attributes:
        side: Odd; 1 looks at each pixel alone.
    """

    side: int = 1

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        scale = self.param("scale", nn.initializers.ones, ())
        window = (self.side, self.side)
        return 20 * scale * nn.avg_pool(images, window, padding="SAME")


def task(side=1, **options):
    fields = dict(mean=(0.0,) * 3, std=(1.0,) * 3) | options
    return SemanticSegmentation(Channels(side), NAMES, **fields)


def striped(side=1, size=(32, 48), **options):
    """A segmenter with an input of a size."""
    variables = {"params": {"scale": jnp.ones(())}}
    return Segmenter(task(side), variables, Letterbox(size), **options)
