"""Super-resolution with any network: a larger picture of a small one."""

import dataclasses
from typing import Any, NamedTuple, Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np
from clu import metrics

from jaxvision.data.batch import SuperResolutionBatch
from jaxvision.data.ycbcr import luma, to_rgb, to_ycbcr
from jaxvision.layers.bicubic import enlarge_bicubic
from jaxvision.losses.pixels import NAMES, pixel_loss
from jaxvision.metrics.super_resolution import SuperResolutionQuality
from jaxvision.ops import ranges
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


class EnlargingNetwork(Protocol):
    """A Flax module from pictures [B, H, W, C] in [0, 1] to larger ones, C = 1 for Y or 3.

    One that `interpolates` takes pictures that have the size of the result.
    """

    @property
    def interpolates(self) -> bool:
        """Whether it takes interpolated pictures."""
        ...

    @property
    def channels(self) -> int:
        """1 or 3."""
        ...

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Initialises the variables."""
        ...

    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the pictures."""
        ...


class Enlarged(NamedTuple):
    """Predicted pictures.

    Attributes:
        image: RGB [B, s * H, s * W, 3] float32 in [0, 255], neither rounded nor clipped.
        y: Y [B, s * H, s * W] of networks that restore Y alone, else None.
    """

    image: jax.Array
    y: jax.Array | None


@dataclasses.dataclass(frozen=True)
class SuperResolution:
    """Trains a network on batches of `jaxvision.data.batch.SuperResolutionBatch`.

    A network of one channel restores Y; Cb and Cr are interpolated.

    Attributes:
        model: The network.
        scale: Pixels of a target along one of its image.
        name: Loss between the network's pictures and the targets, in [0, 1]: l1, l2, charbonnier.
        border: Pixels that metrics leave out on each side, -1 for as many as the scale.

    Raises:
        ValueError: If a value is out of its range, or the network has another scale.
    """

    model: EnlargingNetwork
    scale: int
    name: str = "l1"
    border: int = -1

    def __post_init__(self) -> None:
        ranges.check(self, "[1, inf)", "scale")
        own = self.scale if self.model.interpolates else getattr(self.model, "scale", self.scale)
        if own != self.scale:
            raise ValueError(
                f"scale must be that of the network, {own}, got {self.scale}; a variant's name "
                "ends in its scale"
            )
        if self.name not in NAMES:
            raise ValueError(f"loss.name must be one of {', '.join(NAMES)}, got {self.name}")
        ranges.check(self, "[-1, inf)", "border")

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for pictures of the batch's size."""
        x = self.inputs(batch["image"][:1], interpolated=self.is_interpolated(batch))
        variables = dict(self.model.init(key, x, train=True))
        return variables.pop("params"), variables

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the loss of a batch; `psnr` is that of the batch's patches."""
        del step, key
        found, state = self.restored(params, state, batch)
        target = self.targets(batch, found)
        mse = jnp.square(jnp.clip(found, 0, 1) - target).mean()
        logs = {"psnr": -10 * jnp.log10(jnp.maximum(mse, 1e-10))}
        return Loss(pixel_loss(self.name, found, target), state, logs)

    def restored(
        self, params: Params, state: ModelState, batch: Batch
    ) -> tuple[jax.Array, ModelState]:
        """Computes the network's pictures [B, H, W, C] in [0, 1] in training, and the state."""
        x = self.inputs(batch["image"], interpolated=self.is_interpolated(batch))
        return self.model.apply({"params": params, **state}, x, train=True, mutable=list(state))

    def targets(self, batch: Batch, like: jax.Array) -> jax.Array:
        """Returns what the network should give [B, H, W, C] in [0, 1].

        Those of a network without padding are smaller than the pictures: their middle.
        """
        target = batch["target"].astype(jnp.float32)
        if self.model.channels == 1:
            target = luma(target)[..., None]
        top, left = ((target.shape[i] - like.shape[i]) // 2 for i in (1, 2))
        target = target[:, top : top + like.shape[1], left : left + like.shape[2]]
        return target / 255.0

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Enlarged:
        """Enlarges pictures [B, H, W, 3] in [0, 255]."""
        del key
        images = batch["image"].astype(jnp.float32)
        variables = {"params": params, **state}
        if self.model.channels == 3:
            x = self.inputs(images)
            return Enlarged(255.0 * self.model.apply(variables, x, train=False), None)
        ycbcr = enlarge_bicubic(to_ycbcr(images), self.scale)
        y = 255.0 * self.model.apply(variables, self._of_y(images, ycbcr), train=False)
        return Enlarged(to_rgb(jnp.concatenate([y, ycbcr[..., 1:]], axis=-1)), y[..., 0])

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares pictures with the targets of an evaluation batch."""
        return SuperResolutionQuality.from_model_output(
            image=predictions.image,
            y=predictions.y,
            batch=cast(SuperResolutionBatch, batch),
            border=self.scale if self.border < 0 else self.border,
        )

    def inputs(self, images: jax.Array, *, interpolated: bool = False) -> jax.Array:
        """Maps pictures [B, H, W, 1 or 3] in [0, 255] to what the network takes, in [0, 1]."""
        x = images.astype(jnp.float32)
        if self.model.channels == 1 and x.shape[-1] == 3:
            x = luma(x)[..., None]
        if self.model.interpolates and not interpolated:
            x = enlarge_bicubic(x, self.scale)
        return x / 255.0

    def is_interpolated(self, batch: Batch) -> bool:
        """Whether the pictures of a batch have the size of their targets already."""
        return np.shape(batch["image"])[1] == np.shape(batch["target"])[1]

    def _of_y(self, images: jax.Array, ycbcr: jax.Array) -> jax.Array:
        if self.model.interpolates:
            return ycbcr[..., :1] / 255.0
        return luma(images)[..., None] / 255.0
