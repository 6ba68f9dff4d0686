import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees

from jaxvision.losses.adversarial import LOSSES, adversarial_loss

# The terms of the stored case: (our loss, player).
TERMS = {
    "d": ("non_saturating", "discriminator"),
    "g_nonsaturating": ("non_saturating", "generator"),
    "g_minimax": ("minimax", "generator"),
    "ra_d": ("relativistic_average", "discriminator"),
    "ra_g": ("relativistic_average", "generator"),
    "ls_d": ("least_squares", "discriminator"),
    "ls_g": ("least_squares", "generator"),
}


@pytest.mark.parametrize("name", TERMS)
def test_values_and_gradients_match_the_formulas(name):
    case = fill.load_case("gan_losses")
    loss, player = TERMS[name]
    real, fake = (jnp.asarray(case[f"{x}_logits"], jnp.float32) for x in ("real", "fake"))
    term = getattr(adversarial_loss(loss), player)
    value, (by_real, by_fake) = jax.jit(jax.value_and_grad(term, (0, 1)))(real, fake)
    assert value == pytest.approx(float(case[f"{name}_loss"]), rel=1e-5)
    assert_agrees(by_real, case[f"{name}_grad_real"], 1e-5)
    assert_agrees(by_fake, case[f"{name}_grad_fake"], 1e-5)


def test_hinge_and_relativistic_losses_have_their_values_by_hand():
    real, fake = np.float32([2.0, 0.5]), np.float32([-3.0, 0.0])
    hinge, pairs = LOSSES["hinge"], LOSSES["relativistic"]
    # max(0, 1 - 2), max(0, 1 - .5); max(0, 1 - 3), max(0, 1 + 0).
    assert hinge.discriminator(real, fake) == pytest.approx(0.25 + 0.5)
    assert hinge.generator(real, fake) == pytest.approx(1.5)
    expected = np.log1p(np.exp([-5.0, -0.5])).mean()
    assert pairs.discriminator(real, fake) == pytest.approx(expected, rel=1e-5)
    expected = np.log1p(np.exp([5.0, 0.5])).mean()
    assert pairs.generator(real, fake) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_and_say_whether_the_generator_sees_real_images(name):
    loss = LOSSES[name]
    real, fake = jnp.float32([1e4, -1e4, 3.0]), jnp.float32([-1e4, 1e4, 2.0])
    for term in (loss.discriminator, loss.generator):
        assert np.isfinite(jax.jit(jax.grad(term, (0, 1)))(real, fake)).all()
    assert np.any(jax.jit(jax.grad(loss.generator))(real, fake)) == loss.uses_real


def test_an_unknown_name_is_an_error():
    with pytest.raises(ValueError, match="must be one of non_saturating, .*, got 'wgan'"):
        adversarial_loss("wgan")
