"""A network of your own: a backbone that classifies and detects.

    python examples/own_model.py --workdir=runs/patchwork

Backbones map images to {stride: features}. That is all that heads and detectors ask of them.
"""

import argparse
import dataclasses
import pathlib

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision import models
from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.recipes import classification
from jaxvision.train import loop


class Patchwork(nn.Module):
    """Three stages of separable convolutions with residuals.

    Attributes:
        width: Channels of the first stage; each further one has twice as many.
        dtype: Of activations.
    """

    width: int = 16
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps [B, H, W, 3] to {8, 16, 32: [B, H / stride, W / stride, C]}."""
        x = nn.Conv(self.width, (4, 4), strides=4, dtype=self.dtype, name="stem")(images)
        features = {}
        for i, stride in enumerate((8, 16, 32), start=1):
            width = self.width * 2**i
            x = nn.Conv(width, (2, 2), strides=2, dtype=self.dtype, name=f"reduce{i}")(x)
            depthwise = nn.Conv(width, (5, 5), feature_group_count=width, name=f"spatial{i}")
            y = BatchNorm(name=f"norm{i}")(depthwise(x), train=train)
            x = x + nn.Conv(width, (1, 1), dtype=self.dtype, name=f"mix{i}")(nn.relu(y))
            features[stride] = x
        return features


class PatchworkClassifier(nn.Module):
    """The mean of the last features, and a linear layer.

    Attributes:
        backbone: The network below.
        num_classes: K.
    """

    backbone: Patchwork
    num_classes: int

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Maps [B, H, W, 3] to logits [B, K] in float32."""
        features = self.backbone(images, train=train)[32].mean(axis=(1, 2))
        return nn.Dense(self.num_classes, name="head")(features.astype(jnp.float32))


# A row a variant, and one factory: how the files in jaxvision/models/ are built.
VARIANTS = {"patchwork_s": dict(width=16), "patchwork_m": dict(width=32)}


def patchwork(variant: str, **overrides) -> Patchwork:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields."""
    return Patchwork(**(VARIANTS[variant] | overrides))


def detector(num_classes: int) -> nn.Module:
    """The same network under the head of YOLOX."""
    return models.yolox("yolox_nano", num_classes=num_classes, backbone=patchwork("patchwork_s"))


def experiment(**values):
    """The classification recipe on drawn digits, with this network."""
    config = classification.defaults()
    config.update(image_size=32, batch_size=64, epochs=3)
    config.data.update(source="digits", train_images=4000, val_images=500)
    config.augment.update(crop="pad", padding=2, flip=0)
    config.update_from_flattened_dict(values)
    made = classification.experiment(config)
    model = PatchworkClassifier(patchwork("patchwork_s"), len(made.task.class_names))
    return dataclasses.replace(made, task=dataclasses.replace(made.task, model=model))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/patchwork"))
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    loop.run(experiment(epochs=options.epochs), options.workdir.absolute())
