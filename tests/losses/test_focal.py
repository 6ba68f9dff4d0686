import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.losses.focal import sigmoid_focal_loss


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.5, 0.0), (None, 1.5)])
def test_values_and_gradients_match_reference(alpha, gamma):
    case = fill.load_case("ops_boxes")
    targets = case["onehot"] > 0

    def losses(logits):
        return sigmoid_focal_loss(logits, targets, alpha=alpha, gamma=gamma)

    ours, pull = jax.vjp(losses, jnp.asarray(case["logits"]))
    (grad,) = pull(jnp.ones_like(ours))
    for value, name in ((ours, ""), (grad, "_grad")):
        theirs = case[f"focal_{-1.0 if alpha is None else alpha}_{gamma}{name}"]
        np.testing.assert_allclose(value, theirs, atol=1e-6 * np.abs(theirs).max(), rtol=1e-5)


def test_by_hand():
    # p_t = 0.8 at a logit of ln 4.
    x = np.float32(np.log(4.0))
    losses = sigmoid_focal_loss(
        jnp.float32([x, -x]), jnp.array([True, False]), alpha=0.3, gamma=3.0
    )
    np.testing.assert_allclose(losses, np.array([0.3, 0.7]) * 0.2**3 * -np.log(0.8), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_values_and_gradients_are_finite_and_right_at_extremes(gamma):
    logits = jnp.float32([-1e30, -1e4, -100.0, 0.0, 100.0, 1e4, 1e30])
    value, grad = jax.jit(
        jax.vmap(jax.value_and_grad(lambda x: sigmoid_focal_loss(x, True, alpha=1.0, gamma=gamma)))
    )(logits)
    assert np.isfinite(value).all() and np.isfinite(grad).all()
    np.testing.assert_allclose(value[:3], [1e30, 1e4, 100], rtol=1e-6)  # certain and wrong
    np.testing.assert_allclose(grad[:3], -1, rtol=1e-6)
    np.testing.assert_allclose(value[4:], 0, atol=1e-20)  # certain and right
    np.testing.assert_allclose(grad[4:], 0, atol=1e-20)
