"""A classifier that needs no training: it names the brightest channel."""

import jax.numpy as jnp

from jaxvision.data.augment.fixed_crop import CenterCrop
from jaxvision.inference.classifier import Classifier
from jaxvision.tasks.classification import ImageClassification

NAMES = ("rot", "grün", "blau")


class Colour:
    """Stands for a network whose logits are the mean of each channel."""

    def apply(self, variables, images, *, train):
        return images.mean(axis=(1, 2)) * variables["params"]["scale"]


def classifier(**options):
    task = ImageClassification(Colour(), NAMES, mean=(0.5,) * 3, std=(0.5,) * 3, **options)
    return Classifier(task, {"params": {"scale": jnp.float32(3)}}, CenterCrop((8, 8), 8))
