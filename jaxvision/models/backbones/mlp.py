"""The multilayer perceptron: dense layers on the pixels of an image.

Learning Representations by Back-Propagating Errors, Rumelhart et al. 1986,
https://doi.org/10.1038/323533a0. `mlp` is 784-300-100-10 of LeCun et al. 1998,
http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section III.C.5, with ReLU; `mlp_sigmoid` is
784-500-500-2000-10 of Hinton et al. 2006, https://doi.org/10.1162/neco.2006.18.7.1527, figure 1,
whose layers restricted Boltzmann machines can learn first.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxvision.models.backbones.pooled_classifier import PooledClassifier
from jaxvision.models.variant import fields_of

ACTIVATIONS = {"relu": nn.relu, "sigmoid": nn.sigmoid, "tanh": nn.tanh}


class MLP(nn.Module):
    """Dense layers, whose parameters are of one image size.

    Attributes:
        widths: Units of each layer.
        act: `relu`, `sigmoid` or `tanh`.
        dtype: Of the computation; parameters are float32.
    """

    widths: tuple[int, ...] = (300, 100)
    act: str = "relu"
    dtype: jnp.dtype = jnp.float32

    def __post_init__(self) -> None:
        """Checks the activation's name.

        Raises:
            ValueError: If it is not known, or there is no layer.
        """
        if self.act not in ACTIVATIONS or not self.widths:
            raise ValueError(
                f"act must be one of {', '.join(ACTIVATIONS)}, got {self.act}; widths must name a "
                f"layer or more, got {self.widths}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> dict[int, jax.Array]:
        """Maps images [B, H, W, C] to {the longer side: units [B, 1, 1, D]}."""
        del train
        x = images.astype(self.dtype).reshape(images.shape[0], -1)
        for i, width in enumerate(self.widths, start=1):
            x = ACTIVATIONS[self.act](nn.Dense(width, dtype=self.dtype, name=f"layer{i}")(x))
        return {max(images.shape[1:3]): x[:, None, None]}


VARIANTS: dict[str, dict[str, Any]] = {
    "mlp": dict(),
    "mlp_sigmoid": dict(widths=(500, 500, 2000), act="sigmoid"),
}


def mlp(variant: str, **overrides: Any) -> MLP:
    """Builds a backbone from a row of `VARIANTS`; keywords replace single fields.

    Raises:
        ValueError: If there is no such variant; the message lists similar names.
    """
    return MLP(**(fields_of(variant, VARIANTS) | overrides))


def mlp_classifier(variant: str, *, num_classes: int = 10, **overrides: Any) -> PooledClassifier:
    """Builds a classifier around `mlp(variant, **overrides)`."""
    return PooledClassifier(mlp(variant, **overrides), num_classes)
