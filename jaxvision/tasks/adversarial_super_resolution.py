"""Super-resolution against a discriminator, as SRGAN and ESRGAN."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.losses.adversarial import adversarial_loss
from jaxvision.losses.perceptual import Perceptual
from jaxvision.losses.pixels import pixel_loss
from jaxvision.models.super_resolution.discriminator import Discriminator
from jaxvision.ops import ranges
from jaxvision.tasks.super_resolution import Enlarged, SuperResolution
from jaxvision.tasks.task import Batch, Loss, ModelState, Params
from jaxvision.tasks.turns import DISCRIMINATOR, GENERATOR, TakesTurns, by_turn

# Key of the constants that are the variables of VGG19.
VGG = "vgg"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialSuperResolution(TakesTurns, SuperResolution):
    """Generator and discriminator take turns by step: n of the discriminator, then one.

    The player who rests keeps its parameters and statistics; it normalises by the batch, real and
    generated pictures each by their own.

    Attributes:
        discriminator: Network from pictures [B, H, W, 3] in [0, 1] to logits [B].
        adversarial: Name of a loss of `jaxvision.losses.adversarial`.
        adversarial_weight: Its factor in the generator's loss.
        pixel_weight: Factor of the loss `name` between pixels.
        perceptual: Features whose distance is a term of the generator's loss, or None; batches
            then hold the variables of VGG19 as the constant `vgg`.
        perceptual_weight: Factor of that distance.
        discriminator_steps: n.

    Raises:
        ValueError: If a value is out of its range.
    """

    discriminator: Discriminator
    adversarial: str = "non_saturating"
    adversarial_weight: float = 1e-3
    pixel_weight: float = 1.0
    perceptual: Perceptual | None = None
    perceptual_weight: float = 1.0
    discriminator_steps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        adversarial_loss(self.adversarial)
        if self.model.channels != 3:
            raise ValueError("a discriminator needs a generator of RGB, got one of Y")
        ranges.check(self, "[1, inf)", "discriminator_steps")
        ranges.check(self, "[0, inf)", "adversarial_weight", "pixel_weight", "perceptual_weight")

    def generator(self) -> SuperResolution:
        """Returns the task of the generator alone, for what is done with it after training."""
        return SuperResolution(self.model, self.scale, self.name, self.border)

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises both networks for pictures of the batch's size."""
        own, other = jax.random.split(key)
        params, state = super().init(own, batch)
        targets = batch["target"][:1].astype(jnp.float32) / 255.0
        judge = dict(self.discriminator.init(other, targets, train=True))
        params = {GENERATOR: params, DISCRIMINATOR: judge.pop("params")}
        names = sorted({*state, *judge})
        both = {GENERATOR: state, DISCRIMINATOR: judge}
        return params, {
            name: {player: x[name] for player, x in both.items() if name in x} for name in names
        }

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the loss of the player whose turn it is; logs are of both."""
        del key
        rule = adversarial_loss(self.adversarial)

        def generated(params: Params) -> tuple[jax.Array, jax.Array, Any]:
            own = params_of(params, state, GENERATOR)
            fake, after = self.restored(own.pop("params"), own, batch)
            return fake, self.targets(batch, fake), after

        def judged(images: jax.Array, judge: Any) -> tuple[jax.Array, Any]:
            mutable = [name for name in judge if name != "params"]
            return self.discriminator.apply(judge, images, train=True, mutable=mutable)

        # The networks run in both: who rests is not differentiated.
        def of_generator(params: Params) -> tuple[jax.Array, Any]:
            fake, real, after = generated(params)
            judge = jax.lax.stop_gradient(params_of(params, state, DISCRIMINATOR))
            fake_logits, _ = judged(fake, judge)
            real_logits, _ = judged(real, judge)
            value = self.adversarial_weight * rule.generator(real_logits, fake_logits)
            value += self.pixel_weight * pixel_loss(self.name, fake, real)
            if self.perceptual is not None:
                value += self.perceptual_weight * self.perceptual(batch[VGG], fake, real)
            logs = self._logs(fake, real, real_logits, fake_logits)
            return value, (merged(state, after, GENERATOR), logs)

        def of_discriminator(params: Params) -> tuple[jax.Array, Any]:
            fake, real, _ = jax.lax.stop_gradient(generated(params))
            judge = params_of(params, state, DISCRIMINATOR)
            real_logits, seen = judged(real, judge)
            fake_logits, seen = judged(fake, {**judge, **seen})
            value = rule.discriminator(real_logits, fake_logits)
            logs = self._logs(fake, real, real_logits, fake_logits)
            return value, (merged(state, seen, DISCRIMINATOR), logs)

        turn = self.generator_turn(step)
        value, (state, found) = by_turn(turn, of_generator, of_discriminator, params)
        return Loss(value, state, found)

    def _logs(
        self, fake: jax.Array, real: jax.Array, real_logits: jax.Array, fake_logits: jax.Array
    ) -> dict[str, jax.Array]:
        """Computes both players' losses and the PSNR of the batch, whoever moves."""
        rule = adversarial_loss(self.adversarial)
        mse = jnp.square(jnp.clip(fake, 0, 1) - real).mean()
        found = {
            "psnr": -10 * jnp.log10(jnp.maximum(mse, 1e-10)),
            "discriminator": rule.discriminator(real_logits, fake_logits),
            "adversarial": rule.generator(real_logits, fake_logits),
        }
        return jax.lax.stop_gradient(found)

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> Enlarged:
        """Enlarges pictures [B, H, W, 3] in [0, 255] with the generator."""
        own = params_of(params, state, GENERATOR)
        return super().predict(own.pop("params"), own, batch, key=key)


def params_of(params: Params, state: ModelState, player: str) -> dict[str, Any]:
    """Returns the variables of one player: {"params", **other collections}."""
    own = {name: tree[player] for name, tree in state.items() if player in tree}
    return {"params": params[player], **own}


def merged(state: ModelState, own: Mapping[str, Any], player: str) -> ModelState:
    """Replaces the collections of one player in the state of both."""
    return {
        name: {**tree, player: own[name]} if name in own else dict(tree)
        for name, tree in state.items()
    }
