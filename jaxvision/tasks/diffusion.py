"""Learning to undo noise: diffusion models, with or without classes.

Ho et al. 2020, https://arxiv.org/abs/2006.11239, algorithms 1 and 2; classifier-free guidance: Ho &
Salimans 2022, https://arxiv.org/abs/2207.12598, algorithms 1 and 2.
"""

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.metrics.generation import NoiseLoss, SampleStatistics
from jaxvision.models.generative.ddpm_unet import DDPMUNet
from jaxvision.ops import ranges
from jaxvision.ops.diffusion import Diffusion
from jaxvision.ops.diffusion_sampling import START, check_sampler, drawn, run_sampler
from jaxvision.tasks.generation import (
    asks_for_samples,
    check_channels,
    row_keys,
    to_bytes,
    to_signed,
)
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class ImageDiffusion:
    """Trains a network on batches of `jaxvision.data.batch.GenerationBatch`.

    An evaluation batch with images measures the loss; one without asks for samples.

    Attributes:
        model: Predicts from noisy images, times and perhaps classes.
        process: How images become noise, and what the network predicts.
        image_size: Height and width of the images in pixels.
        class_names: The classes that the network is given; () for none.
        drop_label: Probability that an image is trained without its class, for guidance.
        sampler: `ddim` or `ancestral`.
        sample_steps: Calls of the network that `ddim` makes.
        eta: Fresh noise of `ddim`, 0 to 1.
        guidance: 1 for the prediction with the class; g for that without it and g times the
            difference.

    Raises:
        ValueError: If a value is out of its range, or the classes are not those of the network.
    """

    model: DDPMUNet
    process: Diffusion
    image_size: tuple[int, int]
    class_names: tuple[str, ...] = ()
    drop_label: float = 0.1
    sampler: str = "ddim"
    sample_steps: int = 50
    eta: float = 0.0
    guidance: float = 1.0

    def __post_init__(self) -> None:
        check_channels(self.model.channels)
        if (self.model.num_classes or 0) != len(self.class_names):
            raise ValueError(
                f"the network must be built for {len(self.class_names)} classes, got "
                f"num_classes={self.model.num_classes}"
            )
        check_sampler(self, self.process.steps)
        ranges.check(self, "[0, 1]", "drop_label")
        ranges.check(self, "[0, inf)", "guidance")
        if self.guidance != 1 and not self.class_names:
            raise ValueError(f"guidance needs a network with classes, got {self.guidance} without")

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for images of the batch's size."""
        del batch
        x = jnp.zeros((1, *self.image_size, self.model.channels))
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
        """Computes the mean squared error of what the network predicts (equation 14)."""
        del step
        noising, dropping, dropout = jax.random.split(key, 3)
        labels = self._labels(batch)
        if labels is not None:
            dropped = jax.random.bernoulli(dropping, self.drop_label, labels.shape)
            labels = jnp.where(dropped, len(self.class_names), labels)
        image = to_signed(batch["image"], self.model.channels)
        noise_key, time_key = jax.random.split(noising)
        noise = jax.random.normal(noise_key, image.shape)
        t = jax.random.randint(time_key, image.shape[:1], 0, self.process.steps)
        noisy = self.process.noised(image, noise, t)
        variables = {"params": params, **state}
        output = self._output(variables, noisy, t, labels, train=True, rngs={"dropout": dropout})
        value = jnp.square(output - self.process.target(image, noise, t)).mean()
        logs = {}
        if self.process.prediction != "noise":
            found = self.process.image_and_noise(output, noisy, t)[1]
            logs["noise_loss"] = jnp.square(found - noise).mean()
        return Loss(value, state, logs)

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Computes the error of the predicted noise [B], or images [B, H, W, C] uint8."""
        keys = row_keys(key, batch["index"])
        if asks_for_samples(batch):
            return self.sample(params, state, batch["label"], keys)
        image = to_signed(batch["image"], self.model.channels)
        noise = drawn(keys, image.shape[1:], START)
        t = jax.vmap(lambda k: jax.random.randint(k, (), 0, self.process.steps))(keys)
        noisy = self.process.noised(image, noise, t)
        variables = {"params": params, **state}
        output = self._output(variables, noisy, t, self._labels(batch), train=False)
        found = self.process.image_and_noise(output, noisy, t)[1]
        return jnp.square(found - noise).mean(axis=(1, 2, 3))

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Averages errors, or sums up images."""
        if asks_for_samples(batch):
            return SampleStatistics.from_model_output(predictions, batch["mask"])
        return NoiseLoss.from_model_output(predictions, mask=batch["mask"])

    def sample(
        self, params: Params, state: ModelState, labels: jax.Array, keys: jax.Array
    ) -> jax.Array:
        """Makes images [B, H, W, C] uint8.

        Args:
            params: Parameters.
            state: Model state.
            labels: Class of each image [B] int32, K for none; unused without classes.
            keys: A random key for each image [B].
        """
        variables = {"params": params, **state}
        given = labels if self.class_names else None

        def denoise(x: jax.Array, t: jax.Array) -> jax.Array:
            if self.guidance == 1 or given is None:
                return self._output(variables, x, t, given, train=False)
            # Both predictions by one call of the network.
            none = jnp.full_like(given, len(self.class_names))
            twice = (jnp.concatenate(pair) for pair in ((x, x), (t, t), (given, none)))
            with_class, without = jnp.split(self._output(variables, *twice, train=False), 2)
            return without + self.guidance * (with_class - without)

        shape = (*self.image_size, self.model.channels)
        found = run_sampler(
            self.process,
            denoise,
            shape,
            keys,
            sampler=self.sampler,
            steps=self.sample_steps,
            eta=self.eta,
        )
        return to_bytes(found)

    def _output(self, variables: Any, *inputs: Any, **options: Any) -> jax.Array:
        return cast(jax.Array, self.model.apply(variables, *inputs, **options))

    def _labels(self, batch: Batch) -> jax.Array | None:
        return batch["label"] if self.class_names else None
