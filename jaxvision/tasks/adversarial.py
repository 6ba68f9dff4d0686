"""A generator and a discriminator that take turns.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, algorithm 1, a batch a step: the
discriminator moves at so many steps, the generator at the next one. Real and generated images pass
the discriminator as batches of their own, as in DCGAN.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.losses.adversarial import adversarial_loss
from jaxvision.metrics.generation import SampleStatistics
from jaxvision.ops import ranges
from jaxvision.tasks.generation import check_channels, row_keys, to_bytes, to_signed
from jaxvision.tasks.task import Batch, Loss, ModelState, Params
from jaxvision.tasks.turns import PLAYERS, TakesTurns, by_turn

NOISES = ("normal", "uniform")
_STATE = "batch_stats"


@dataclasses.dataclass(frozen=True)
class AdversarialGeneration(TakesTurns):
    """Trains two networks on batches of `jaxvision.data.batch.GenerationBatch`.

    Parameters and statistics are {"generator": tree, "discriminator": tree}. The player who rests
    has no gradient, and its statistics stay as they are.

    Attributes:
        model: The generator, from noise [B, latent] to images [B, H, W, C] in [-1, 1].
        discriminator: From images [B, H, W, C] to logits.
        loss_name: A row of `jaxvision.losses.adversarial.LOSSES`.
        discriminator_steps: Steps of the discriminator for each of the generator.
        noise: `normal`, of variance 1, or `uniform` in [-1, 1].

    Raises:
        ValueError: If a value is out of its range.
    """

    model: Any
    discriminator: Any
    loss_name: str = "non_saturating"
    discriminator_steps: int = 1
    noise: str = "normal"

    def __post_init__(self) -> None:
        check_channels(self.model.channels)
        adversarial_loss(self.loss_name)
        ranges.check(self, "[1, 1_000_000]", "discriminator_steps")
        if self.noise not in NOISES:
            raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {self.noise!r}")

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.model.size, self.model.size

    @property
    def class_names(self) -> tuple[str, ...]:
        """No class can be asked for."""
        return ()

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises both networks."""
        del batch
        keys = jax.random.split(key, 2)
        noise = jnp.zeros((1, self.model.latent))
        images = jnp.zeros((1, *self.image_size, self.model.channels))
        variables = (
            self.model.init(keys[0], noise, train=False),
            self.discriminator.init(keys[1], images, train=False),
        )
        params, state = (
            {name: tree.get(part, {}) for name, tree in zip(PLAYERS, variables, strict=True)}
            for part in ("params", _STATE)
        )
        return params, {_STATE: state} if any(map(jax.tree.leaves, state.values())) else {}

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the loss of the player whose turn it is."""
        real = to_signed(batch["image"], self.model.channels)
        if real.shape[1:3] != self.image_size:
            raise ValueError(
                f"images must be {self.image_size[0]} x {self.image_size[1]} pixels, as the "
                f"generator makes them, got {real.shape[1]} x {real.shape[2]}"
            )
        noise_key, real_key, fake_key = jax.random.split(key, 3)
        noise = self._noise(noise_key, (len(real), self.model.latent))
        terms = adversarial_loss(self.loss_name)
        stats = state.get(_STATE, dict.fromkeys(PLAYERS, {}))

        def judged(
            judge: Params, old: Any, images: jax.Array, key: jax.Array
        ) -> tuple[jax.Array, Any]:
            return _applied(self.discriminator, judge, old, images, key)

        def of_discriminator(params: Params) -> tuple[jax.Array, Any]:
            maker = jax.lax.stop_gradient(params["generator"])
            fake, _ = _applied(self.model, maker, stats["generator"], noise, None)
            judge = params["discriminator"]
            of_real, new = judged(judge, stats["discriminator"], real, real_key)
            of_fake, new = judged(judge, new, jax.lax.stop_gradient(fake), fake_key)
            value = terms.discriminator(of_real, of_fake)
            return value, ({**stats, "discriminator": new}, _shares(of_real, of_fake))

        def of_generator(params: Params) -> tuple[jax.Array, Any]:
            fake, new = _applied(self.model, params["generator"], stats["generator"], noise, None)
            judge = jax.lax.stop_gradient(params["discriminator"])
            of_fake, _ = judged(judge, stats["discriminator"], fake, fake_key)
            of_real = of_fake
            if terms.uses_real:
                of_real, _ = judged(judge, stats["discriminator"], real, real_key)
            value = terms.generator(of_real, of_fake)
            return value, ({**stats, "generator": new}, _shares(of_real, of_fake))

        turn = self.generator_turn(step)
        value, (new, logs) = by_turn(turn, of_generator, of_discriminator, params)
        return Loss(value, {_STATE: new} if _STATE in state else state, logs)

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Makes an image [B, H, W, C] uint8 for each row."""
        return self.sample(params, state, batch["label"], row_keys(key, batch["index"]))

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Sums up images."""
        return SampleStatistics.from_model_output(predictions, batch["mask"])

    def sample(
        self, params: Params, state: ModelState, labels: jax.Array, keys: jax.Array
    ) -> jax.Array:
        """Makes images [B, H, W, C] uint8 from a random key for each [B]; labels are not used."""
        del labels
        noise = jax.vmap(lambda key: self._noise(key, (self.model.latent,)))(keys)
        return to_bytes(self.made_of(params, state, noise))

    def made_of(self, params: Params, state: ModelState, noise: jax.Array) -> jax.Array:
        """Makes images [B, H, W, C] in [-1, 1] of noise [B, latent]."""
        stats = state[_STATE]["generator"] if _STATE in state else {}
        variables = {"params": params["generator"], **({_STATE: stats} if stats else {})}
        return self.model.apply(variables, noise, train=False)

    def _noise(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        if self.noise == "uniform":
            return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
        return jax.random.normal(key, shape)


def _applied(
    network: Any, params: Params, stats: Any, x: jax.Array, key: jax.Array | None
) -> tuple[jax.Array, Any]:
    """Applies a network in training mode: its output and its new statistics."""
    rngs = {} if key is None else {"dropout": key}
    variables = {"params": params, **({_STATE: stats} if stats else {})}
    output, new = network.apply(variables, x, train=True, rngs=rngs, mutable=[_STATE])
    return output, new.get(_STATE, stats)


def _shares(real: jax.Array, fake: jax.Array) -> dict[str, jax.Array]:
    """Says how many images of each kind the discriminator takes for real."""
    return {"real_taken_as_real": (real > 0).mean(), "fake_taken_as_real": (fake > 0).mean()}
