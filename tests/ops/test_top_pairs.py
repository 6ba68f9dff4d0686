import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.top_pairs import top_pairs


@pytest.mark.parametrize("count", [1, 5, 12, 100])
def test_equals_a_sort_of_all_pairs(count):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 20, (2, 4, 3)).astype(np.float32)  # with ties
    found, anchors, classes = top_pairs(jnp.asarray(scores), count)
    for image in range(2):
        order = np.argsort(-scores[image].ravel(), kind="stable")[:count]
        np.testing.assert_array_equal(found[image], scores[image].ravel()[order])
        np.testing.assert_array_equal(anchors[image], order // 3)
        np.testing.assert_array_equal(classes[image], order % 3)
