"""A diffusion model that needs no training: it paints the grey of the class."""

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxvision.inference.sampler import Sampler
from jaxvision.ops.diffusion import Diffusion
from jaxvision.tasks.diffusion import ImageDiffusion


class Painter(nn.Module):
    """Predicts images of a constant grey: 100 * class, whatever the noise."""

    channels: int = 1
    num_classes: int | None = 3

    @nn.compact
    def __call__(self, x, t, labels=None, *, train):
        scale = self.param("scale", nn.initializers.ones, ())
        grey = scale * labels.astype(jnp.float32) * (100 / 127.5) - 1.0
        return jnp.broadcast_to(grey[:, None, None, None], x.shape)


def sampler():
    task = ImageDiffusion(
        model=Painter(),
        process=Diffusion(steps=8, prediction="image"),
        image_size=(4, 4),
        class_names=("black", "grey", "light"),
        sample_steps=4,
    )
    return Sampler(task, {"params": {"scale": np.float32(1)}}, batch_size=4)
