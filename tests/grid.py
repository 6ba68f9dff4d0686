"""A few-shot classifier that needs no training: it sees the brightness of each quarter."""

import jax.numpy as jnp
import numpy as np

from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.data.plans.episodes import Episode
from jaxvision.inference.few_shot import FewShotClassifier
from jaxvision.tasks.few_shot import FewShot

EPISODE = Episode(2, 1, 1)


class Grid:
    """Stands for a network whose embedding is the brightness of each quarter."""

    def apply(self, variables, images, *, train):
        x = images.reshape(images.shape[0], 2, 2, 2, 2).mean(axis=(2, 4))
        return variables["params"]["scale"] * x.reshape(images.shape[0], -1)


def model(loss="prototypical", **options):
    task = FewShot(Grid(), loss, EPISODE, (EPISODE,))
    scale = {"params": {"scale": jnp.float32(3)}}
    return FewShotClassifier(task, scale, CenterCrop((4, 4), 4), **options)


def picture(*quarters):
    x = np.array(quarters, np.uint8).reshape(2, 2).repeat(2, 0).repeat(2, 1)
    return x[..., None].repeat(3, 2)


LEFT, RIGHT = picture(255, 0, 255, 0), picture(0, 255, 0, 255)
