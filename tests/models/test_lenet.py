import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision import models
from jaxvision.models.backbones import lenet


def test_scaled_tanh_maps_the_codes_to_themselves():
    np.testing.assert_allclose(lenet.scaled_tanh(jnp.float32([-1, 0, 1])), [-1, 0, 1], atol=1e-4)


def test_third_layer_sees_the_maps_of_table_1():
    # Table I of the paper, a row for each map of S2, an X for each map of C3 that sees it.
    table = """
        X...XXX..XXXX.XX
        XX...XXX..XXXX.X
        XXX...XXX..X.XXX
        .XXX..XXXX..X.XX
        ..XXX..XXXX.XX.X
        ...XXX..XXXX.XXX
    """
    expected = np.array([list(row) for row in table.split()]) == "X"
    seen = np.zeros((6, 16), bool)
    for target, sources in enumerate(lenet.C3_INPUTS):
        seen[list(sources), target] = True
    np.testing.assert_array_equal(seen, expected)


def test_partial_convolution_sums_over_the_maps_it_sees():
    x = np.random.default_rng(0).standard_normal((1, 7, 6, 6)).astype(np.float32)
    layer = lenet.PartialConv()
    variables = jax.jit(layer.init)(jax.random.key(1, impl="rbg"), x)
    variables["params"]["bias"] = jnp.arange(16.0)
    y = np.asarray(layer.apply(variables, x))
    filters = np.asarray(variables["params"]["kernel"])
    expected = np.zeros((1, 3, 2, 16)) + np.arange(16)
    connection = 0
    for target, sources in enumerate(lenet.C3_INPUTS):
        for source in sources:
            for i in range(3):
                for j in range(2):
                    window = x[0, i : i + 5, j : j + 5, source]
                    expected[0, i, j, target] += (window * filters[:, :, connection]).sum()
            connection += 1
    np.testing.assert_allclose(y, expected, atol=1e-4)
    assert np.abs(filters[:, :, 0]).max() <= 2.4 / 75
    assert np.abs(filters[:, :, -1]).max() <= 2.4 / 150


def test_subsampling_adds_four_pixels():
    x = jnp.arange(8.0).reshape(1, 2, 4, 1) / 10
    variables = {"params": {"coefficient": jnp.float32([0.5]), "bias": jnp.float32([0.1])}}
    y = lenet.Subsampling().apply(variables, x)
    # 0 + 1 + 4 + 5 and 2 + 3 + 6 + 7 tenths.
    expected = 1.7159 * np.tanh(np.array([0.5 * 1.0 + 0.1, 0.5 * 1.8 + 0.1]) * 2 / 3)
    np.testing.assert_allclose(y[0, 0, :, 0], expected, rtol=1e-5)


def test_codes_are_ten_digits_that_differ():
    assert lenet.DIGIT_CODES.shape == (10, 84)
    assert set(np.unique(lenet.DIGIT_CODES)) == {-1, 1}
    # A one is a straight stroke on a base.
    one = lenet.DIGIT_CODES[1].reshape(12, 7)
    np.testing.assert_array_equal(one[9], [-1, 1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(one[5], [-1, -1, -1, 1, 1, -1, -1])
    differing = (lenet.DIGIT_CODES[:, None] != lenet.DIGIT_CODES[None]).sum(-1)
    assert (differing + 84 * np.eye(10)).min() >= 6


def test_logits_are_negative_squared_distances_to_the_codes():
    model = models.classifier("lenet5")
    images = jnp.zeros((1, 32, 32, 1))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    variables = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes)
    variables["params"]["f6"]["bias"] = lenet.DIGIT_CODES[3]
    apply = jax.jit(lambda v: model.apply(v, images, train=False))
    logits = np.asarray(apply(variables))[0]
    differing = (lenet.DIGIT_CODES[3] != lenet.DIGIT_CODES).sum(-1)
    np.testing.assert_allclose(logits, -4.0 * differing, atol=1e-2)
    assert logits.argmax() == 3


@pytest.mark.parametrize(
    ("name", "options", "side", "message"),
    [
        ("lenet5", {}, 28, "image_size must be 32.*got 28 x 28"),
        ("lenet5_modern", {}, 28, "image_size must be 32.*got 28 x 28"),
        ("lenet5", {"num_classes": 11}, 32, "num_classes must be 10.*got 11"),
    ],
)
def test_other_sizes_and_classes_than_the_papers_are_errors(name, options, side, message):
    model = models.classifier(name, **options)
    with pytest.raises(ValueError, match=message):
        model.init(jax.random.key(0), jnp.zeros((1, side, side, 1)), train=False)
