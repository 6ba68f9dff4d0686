"""Super-resolution by a diffusion model that sees the interpolated picture beside the noisy one.

SR3: Image Super-Resolution via Iterative Refinement, Saharia et al. 2021,
https://arxiv.org/abs/2104.07636, sections 2 and 3: the small picture, interpolated to the size of
the result, is concatenated with the noisy one.

Departs from the paper: the network is given the time, as DDPM's, not the noise's variance, and it
may be sampled by DDIM.
"""

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp

from jaxvision.layers.bicubic import enlarge_bicubic
from jaxvision.losses.pixels import pixel_loss
from jaxvision.ops.diffusion import Diffusion
from jaxvision.ops.diffusion_sampling import check_sampler, run_sampler
from jaxvision.tasks.generation import to_signed
from jaxvision.tasks.super_resolution import Enlarged, SuperResolution
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class DiffusionSuperResolution(SuperResolution):
    """Trains a network on batches of `jaxvision.data.batch.SuperResolutionBatch`.

    Attributes:
        model: Predicts from noisy and interpolated pictures [B, H, W, 6] and times [B]; a
            `DDPMUNet` of three channels.
        scale: Pixels of a target along one of its image.
        name: Loss of what the network predicts: l1, l2, charbonnier.
        border: Pixels that metrics leave out on each side, -1 for as many as the scale.
        process: How pictures become noise, and what the network predicts.
        sampler: `ddim` or `ancestral`.
        sample_steps: Calls of the network that `ddim` makes.
        eta: Fresh noise of `ddim`, 0 to 1.

    Raises:
        ValueError: If a value is out of its range.
    """

    model: Any
    process: Diffusion = Diffusion()
    sampler: str = "ddim"
    sample_steps: int = 50
    eta: float = 0.0

    def __post_init__(self) -> None:
        if self.model.channels != 3:
            raise ValueError(f"the network must have 3 channels, got {self.model.channels}")
        super().__post_init__()
        check_sampler(self, self.process.steps)

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for pictures of the batch's size."""
        target = batch["target"][:1].astype(jnp.float32)
        x = jnp.concatenate([target, target], axis=-1)
        variables = dict(self.model.init(key, x, jnp.zeros(1, jnp.int32), train=False))
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
        """Computes the loss of what the network predicts of noisy pictures."""
        del step
        noise_key, time_key, dropout = jax.random.split(key, 3)
        target = to_signed(batch["target"], 3)
        low = batch["image"].astype(jnp.float32)
        if not self.is_interpolated(batch):
            low = enlarge_bicubic(low, self.scale)
        noise = jax.random.normal(noise_key, target.shape)
        t = jax.random.randint(time_key, target.shape[:1], 0, self.process.steps)
        noisy = self.process.noised(target, noise, t)
        variables = {"params": params, **state}
        output = self._output(
            variables, noisy, to_signed(low, 3), t, train=True, rngs={"dropout": dropout}
        )
        value = pixel_loss(self.name, output, self.process.target(target, noise, t))
        found = self.process.image_and_noise(output, noisy, t)[1]
        return Loss(value, state, {"noise_loss": jnp.square(found - noise).mean()})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Enlarged:
        """Samples larger pictures of pictures [B, H, W, 3] in [0, 255]."""
        low = to_signed(enlarge_bicubic(batch["image"].astype(jnp.float32), self.scale), 3)
        height, width = low.shape[1:3]
        pads = ((0, 0), (0, -height % self.model.multiple), (0, -width % self.model.multiple))
        low = jnp.pad(low, (*pads, (0, 0)), mode="edge")
        variables = {"params": params, **state}

        def denoise(x: jax.Array, t: jax.Array) -> jax.Array:
            return self._output(variables, x, low, t, train=False)

        keys = jax.random.split(key, len(low))
        found = run_sampler(
            self.process,
            denoise,
            low.shape[1:],
            keys,
            sampler=self.sampler,
            steps=self.sample_steps,
            eta=self.eta,
        )
        return Enlarged((found[:, :height, :width] + 1.0) * 127.5, None)

    def _output(
        self, variables: Any, noisy: jax.Array, low: jax.Array, t: jax.Array, **options: Any
    ) -> jax.Array:
        x = jnp.concatenate([noisy, low], axis=-1)
        return cast(jax.Array, self.model.apply(variables, x, t, **options))
