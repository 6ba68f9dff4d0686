"""Losses of a discriminator and of a generator, from the logits of real and of generated images.

Nothing is stopped in here: the player who rests is held by the task (`jax.lax.stop_gradient`), and
a relativistic loss has a gradient by both kinds of logits.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

# Maps logits of real and of generated images to a scalar.
AdversarialTerm = Callable[[jax.Array, jax.Array], jax.Array]


class AdversarialLoss(NamedTuple):
    """What both players minimise.

    Attributes:
        discriminator: Maps (real logits, fake logits), of any one shape, to a scalar.
        generator: The same for the other player; most use the fake logits alone.
        uses_real: Whether `generator` depends on the real logits.
    """

    discriminator: AdversarialTerm
    generator: AdversarialTerm
    uses_real: bool = False


def cross_entropy(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes mean(-log D(real)) + mean(-log(1 - D(fake))).

    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, equation 1 with its sign changed.
    """
    return jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()


def non_saturating(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes mean(-log D(fake)) (Goodfellow et al. 2014, the end of section 3)."""
    del real
    return jax.nn.softplus(-fake).mean()


def minimax(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes mean(log(1 - D(fake))), whose gradient vanishes where D is sure."""
    del real
    return -jax.nn.softplus(fake).mean()


def least_squares_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes the halves of mean((real - 1)^2) and mean(fake^2).

    Mao et al. 2017, https://arxiv.org/abs/1611.04076, equation 9.
    """
    return 0.5 * (jnp.square(real - 1.0).mean() + jnp.square(fake).mean())


def least_squares_generator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes half of mean((fake - 1)^2) (Mao et al. 2017, equation 9)."""
    del real
    return 0.5 * jnp.square(fake - 1.0).mean()


def hinge_discriminator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes mean(max(0, 1 - real)) + mean(max(0, 1 + fake)).

    Lim & Ye 2017, https://arxiv.org/abs/1705.02894; Miyato et al. 2018,
    https://arxiv.org/abs/1802.05957, equation 16.
    """
    return jax.nn.relu(1.0 - real).mean() + jax.nn.relu(1.0 + fake).mean()


def hinge_generator(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes mean(-fake) (Miyato et al. 2018, equation 17)."""
    del real
    return -fake.mean()


def relativistic(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes mean(-log sigmoid(real - fake)) of pairs.

    Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734, equation 9; the generator's is the
    same with the logits exchanged.
    """
    return jax.nn.softplus(fake - real).mean()


def relativistic_average(real: jax.Array, fake: jax.Array) -> jax.Array:
    """Computes half of the cross entropy of the logits less the mean of the other kind.

    Jolicoeur-Martineau 2018, section 4.2, halved as ESRGAN's code does (Wang et al. 2018,
    https://arxiv.org/abs/1809.00219, equation 1); the generator's is the same with the logits
    exchanged.
    """
    return 0.5 * cross_entropy(real - fake.mean(), fake - real.mean())


def _exchanged(term: AdversarialTerm) -> AdversarialTerm:
    return lambda real, fake: term(fake, real)


LOSSES = {
    "non_saturating": AdversarialLoss(cross_entropy, non_saturating),
    "minimax": AdversarialLoss(cross_entropy, minimax),
    "least_squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "hinge": AdversarialLoss(hinge_discriminator, hinge_generator),
    "relativistic": AdversarialLoss(relativistic, _exchanged(relativistic), uses_real=True),
    "relativistic_average": AdversarialLoss(
        relativistic_average, _exchanged(relativistic_average), uses_real=True
    ),
}


def adversarial_loss(name: str) -> AdversarialLoss:
    """Finds a row of `LOSSES`.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in LOSSES:
        raise ValueError(f"adversarial loss must be one of {', '.join(LOSSES)}, got {name!r}")
    return LOSSES[name]
