import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops import box_coding

WEIGHTS = {"1": (1.0, 1.0, 1.0, 1.0), "10_5": (10.0, 10.0, 5.0, 5.0)}


@pytest.mark.parametrize("name", WEIGHTS)
def test_coding_matches_reference(name):
    case = fill.load_case("ops_boxes")
    encoded = box_coding.encode(case["gt"], case["anchors"], WEIGHTS[name])
    expected = case[f"encoded_{name}"]
    np.testing.assert_allclose(encoded, expected, atol=1e-6 * np.abs(expected).max())
    # The case scales the offsets with the weights, so that boxes stay of a similar size.
    offsets = case["deltas"] * np.float32(5 if name == "10_5" else 1)
    decoded = box_coding.decode(offsets, case["anchors"], WEIGHTS[name])
    expected = case[f"decoded_{name}"]
    np.testing.assert_allclose(decoded, expected, atol=1e-6 * np.abs(expected).max())


def test_coding_by_hand():
    # Centre (5, 10) to (8, 8), size (10, 20) to (20, 10).
    anchor, box = jnp.float32([[0, 0, 10, 20]]), jnp.float32([[-2, 3, 18, 13]])
    code = jnp.float32([[0.3, -0.1, np.log(2), -np.log(2)]])
    np.testing.assert_allclose(box_coding.encode(box, anchor), code, rtol=1e-6)
    np.testing.assert_allclose(box_coding.decode(code, anchor), box, rtol=1e-6)


def test_sizes_are_limited_and_gradients_finite_at_extremes():
    anchor = jnp.float32([[0, 0, 16, 16]])
    box = box_coding.decode(jnp.float32([[0, 0, 1e4, -1e4]]), anchor)
    np.testing.assert_allclose(box, [[8 - 500, 8, 8 + 500, 8]], rtol=1e-5)
    grad = jax.jit(jax.grad(lambda x: box_coding.decode(x, anchor).sum()))(jnp.full((1, 4), 1e4))
    assert np.isfinite(grad).all()
