"""ZSSR: a network for each picture, trained on that picture alone."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.data.degradation import Degradation
from jaxvision.layers.bicubic import enlarge_bicubic, shrink
from jaxvision.losses.pixels import pixel_loss
from jaxvision.ops.eight_fold import of_eight
from jaxvision.tasks.super_resolution import Enlarged, SuperResolution
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class ZeroShot(SuperResolution):
    """Trains as many networks as there are pictures; parameters have an axis for them, the first.

    The row of a batch is of the network that its `index` names.

    Attributes:
        pictures: Number of networks, N.
        degradation: How small pictures came about, for back-projection.
        back_projection: Its steps; 0 for none.
        ensemble: Whether a picture is the median of those of its eight mirrored and turned copies.

    Raises:
        ValueError: If a value is out of its range, or the degradation draws its kernel.
    """

    pictures: int
    degradation: Degradation
    back_projection: int = 10
    ensemble: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pictures < 1 or self.back_projection < 0:
            raise ValueError(
                "expected a picture or more, and eval.back_projection of at least 0, got "
                f"{self.pictures} and {self.back_projection}"
            )
        if not self.model.interpolates or self.model.channels != 3:
            raise ValueError("variant must be a network of interpolated RGB pictures, as zssr")
        self.degradation.fixed_kernel()

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises N networks, each with values of its own."""
        x = self.inputs(batch["image"][:1], interpolated=True)
        keys = jax.random.split(key, self.pictures)
        variables = jax.vmap(lambda key: self.model.init(key, x, train=True))(keys)
        return variables["params"], {}

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the sum of the networks' losses, so that none depends on their number."""
        del step, key

        # Neither vmapped nor in a loop: XLA's CPU backend is slow at convolutions with a kernel for
        # each row, and at those in the body of a loop.
        losses, errors = [], []
        for i in range(batch["index"].shape[0]):
            own = {"params": of_picture(params, batch["index"][i])}
            x = self.inputs(batch["image"][i : i + 1], interpolated=True)
            found = self.model.apply(own, x, train=True)
            target = batch["target"][i : i + 1].astype(jnp.float32) / 255.0
            losses.append(pixel_loss(self.name, found, target))
            errors.append(jnp.square(jnp.clip(found, 0, 1) - target).mean())
        psnr = -10 * jnp.log10(jnp.maximum(jnp.stack(errors), 1e-10)).mean()
        return Loss(jnp.stack(losses).sum(), state, {"psnr": psnr})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Enlarged:
        """Enlarges pictures [1, H, W, 3] in [0, 255] with the network of their index."""
        own = of_picture(params, batch["index"][0])
        return self.alone().predict(own, state, batch, key=key)

    def alone(self) -> "OneShot":
        """Returns the task of one picture's network."""
        return OneShot(
            self.model,
            self.scale,
            self.name,
            self.border,
            degradation=self.degradation,
            back_projection=self.back_projection,
            ensemble=self.ensemble,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneShot(SuperResolution):
    """Enlarges with the network of one picture: ensemble and back-projection.

    Attributes: those of `ZeroShot`.
    """

    degradation: Degradation
    back_projection: int = 10
    ensemble: bool = True

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Enlarged:
        """Enlarges pictures [B, H, W, 3] in [0, 255] (sections 3.1 and 3.2)."""
        images = batch["image"].astype(jnp.float32)

        def enlarge(x: jax.Array) -> jax.Array:
            single: Any = super(OneShot, self)
            return single.predict(params, state, {**batch, "image": x}, key=key).image

        # Turned pictures would need a turned kernel: back-projection follows on the median alone.
        large = of_eight(enlarge, images, median=True) if self.ensemble else enlarge(images)
        kernel = self.degradation.fixed_kernel()
        direct = self.degradation.downsize == "direct"
        for _ in range(self.back_projection):
            error = images - shrink(large, self.scale, kernel, direct=direct)
            large = large + enlarge_bicubic(error, self.scale)
        return Enlarged(large, None)


def of_picture(params: Params, index: jax.Array) -> Params:
    """Returns the parameters of one picture's network."""
    return jax.tree.map(lambda x: x[index], params)
