"""A detector that needs no training: it finds the box around what is white."""

import jax.numpy as jnp

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.inference.detector import Detector
from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.tasks.dense_detection import DenseDetection

NAMES = ("blob", "other")


class Bright:
    """Stands for a network; its first anchor is the box around all pixels above 200.

    Attributes:
        shapes: Those of the images it was compiled for.
    """

    num_classes = 2

    def __init__(self):
        self.shapes = []

    def apply(self, variables, images, *, train):
        self.shapes.append(images.shape)
        rows, height, width, _ = images.shape
        white = images.min(axis=-1) > 200
        box = []
        for axis, side in ((1, width), (2, height)):
            seen = white.any(axis=axis)
            place = jnp.arange(side)[None]
            low = jnp.where(seen, place, side).min(axis=1)
            box.append((low, jnp.where(seen, place + 1, 0).max(axis=1)))
        (x1, x2), (y1, y2) = box
        w, h = jnp.maximum(x2 - x1, 1), jnp.maximum(y2 - y1, 1)
        coded = [(x1 + x2) / 16, (y1 + y2) / 16, jnp.log(w / 8), jnp.log(h / 8)]
        anchors = sum((height // s) * (width // s) for s in (8, 16, 32))
        boxes = jnp.zeros((rows, anchors, 4)).at[:, 0].set(jnp.stack(coded, axis=-1))
        objectness = jnp.full((rows, anchors), -30.0)
        objectness = objectness.at[:, 0].set(jnp.where(white.any(axis=(1, 2)), 3.0, -30.0))
        logits = jnp.full((rows, anchors, 2), -30.0).at[:, 0, 0].set(30.0)
        return DetectorOutput(box_regression=boxes, class_logits=logits, objectness=objectness)


def bright(side=64, **options):
    """A detector with an input of `side` pixels."""
    task = DenseDetection(Bright(), YOLOXMethod(), NAMES)
    return Detector(task, {"params": {}}, Letterbox((side, side)), **options)
