"""A method of your own for a network that exists: each object belongs to one cell.

    python examples/own_method.py --workdir=runs/centres

YOLOX's network with the simplest assignment there is: of the level that suits its size, an object
takes the cell that holds its centre. A method is `priors`, `loss` and `decode`; data, suppression,
metric and the loop stay as they are.
"""

import argparse
import dataclasses
import pathlib

import jax
import jax.numpy as jnp

from jaxvision.assigners.assignment import Assignment
from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.recipes import detection
from jaxvision.train import loop


def centre_cell(points, objects):
    """Gives each object of one image the cell that holds its centre; shapes are static.

    Args:
        points: The cells [A] of all levels.
        objects: Objects [N], padded; `valid` says which are real.

    Returns:
        The object of each cell [A], -1 for none.
    """
    boxes, strides = objects.boxes, jnp.asarray(points.strides)
    centers = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2  # [N, 1, 2]
    offset = jnp.abs(jnp.asarray(points.centers)[None] - centers).max(axis=-1)  # [N, A]
    side = jnp.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[:, None]
    # A cell of stride s suits objects from 2 s to 4 s; the finest and the coarsest take the rest.
    level = jnp.clip(jnp.floor(jnp.log2(jnp.maximum(side, 1) / 2)), 3, 5)
    inside = (offset <= strides[None] / 2) & (jnp.log2(strides)[None] == level)
    inside &= objects.valid[:, None]
    matched = jnp.where(inside.any(axis=0), inside.argmax(axis=0), -1)
    return Assignment(matched, jnp.zeros_like(matched, bool), iou=jnp.zeros(len(strides)))


@dataclasses.dataclass(frozen=True)
class CentreMethod(YOLOXMethod):
    """YOLOX's priors, terms of the loss and decoding, with `centre_cell` in place of SimOTA."""

    def assign(self, output, points, objects):
        """Returns the assignment of a batch [B, A]."""
        found = jax.vmap(centre_cell, in_axes=(None, 0))(points, objects)
        # The target of a class is the overlap of prediction and object, as in YOLOX.
        boxes = jax.lax.stop_gradient(self.decode(output, points).boxes)
        overlap = jax.vmap(pairwise_iou)(objects.boxes, boxes)  # [B, N, A]
        own = jnp.take_along_axis(overlap, jnp.maximum(found.matched, 0)[:, None], axis=1)[:, 0]
        return found._replace(iou=jnp.where(found.matched >= 0, own, 0.0))


def experiment(**values):
    """The recipe's experiment on drawn shapes, with another method."""
    config = detection.defaults("yolox")
    config.update(variant="yolox_nano", image_size=128, batch_size=16, epochs=5)
    config.data.update(source="shapes", train_images=800, val_images=100)
    config.augment.update(mosaic=0, mixup=0)
    config.optimizer.learning_rate = 0.04
    config.update_from_flattened_dict(values)
    made = detection.experiment(config)
    return dataclasses.replace(made, task=dataclasses.replace(made.task, method=CentreMethod()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/centres"))
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    loop.run(experiment(epochs=options.epochs), options.workdir.absolute())
