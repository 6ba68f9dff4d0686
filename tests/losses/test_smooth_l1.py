import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.losses.smooth_l1 import smooth_l1


@pytest.mark.parametrize(("name", "beta"), [("0", 0.0), ("1_9", 1 / 9), ("1", 1.0)])
def test_values_and_gradients_match_reference(name, beta):
    case = fill.load_case("ops_boxes")
    errors = jnp.asarray(case["errors"])
    losses, pull = jax.vjp(lambda x: smooth_l1(x, jnp.zeros_like(x), beta=beta), errors)
    (grads,) = pull(jnp.ones_like(losses))
    np.testing.assert_allclose(losses, case[f"smooth_l1_{name}"], atol=1e-6)
    # The slope of |x| at 0 is undefined.
    grads = np.where(errors == 0, 0.0, grads)
    np.testing.assert_allclose(grads, case[f"smooth_l1_{name}_grad"], atol=1e-6)
