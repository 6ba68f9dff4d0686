import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import init
from flax import linen as nn

from jaxvision.layers import convolution
from jaxvision.layers.convolution import Conv, conv_general_dilated

XLA = jax.lax.conv_general_dilated
# Sides of the map, of the kernel, channels in and out, and options.
CASES = {
    "1x1": ((5, 6), (1, 1), 4, 3, {}),
    "1x1 strided": ((6, 5), (1, 1), 4, 3, dict(strides=2)),
    "3x3": ((6, 5), (3, 3), 4, 3, dict(padding=1)),
    "3x3 strided, even": ((8, 6), (3, 3), 4, 3, dict(strides=2, padding=1)),
    "3x3 strided, odd": ((7, 9), (3, 3), 4, 3, dict(strides=2, padding=1)),
    "3x3 strided, rows left over": ((8, 9), (3, 3), 2, 3, dict(strides=3, padding=0)),
    "3x3 strided unequally": ((8, 7), (3, 3), 2, 3, dict(strides=(1, 2), padding=((0, 1), (2, 0)))),
    "3x3 strided, many channels": ((6, 6), (3, 3), 96, 2, dict(strides=2, padding=1)),
    "same": ((7, 6), (3, 3), 3, 2, dict(strides=2, padding="SAME")),
    "valid": ((7, 6), (2, 3), 3, 2, dict(padding="VALID")),
    "map of one pixel": ((1, 1), (3, 3), 3, 2, dict(strides=2, padding=1)),
    "7x7 stem": ((13, 14), (7, 7), 3, 4, dict(strides=2, padding=3)),
    "patches": ((8, 12), (4, 4), 3, 5, dict(strides=4, padding="VALID")),
    "stride above the kernel": ((9, 9), (2, 2), 3, 2, dict(strides=3, padding="VALID")),
    "stem of one column too many": ((13, 18), (7, 7), 3, 4, dict(strides=2, padding=3)),
    "3x3 few channels, odd": ((5, 7), (3, 3), 12, 4, dict(padding=1)),
    "3x3 many channels": ((5, 6), (3, 3), 40, 4, dict(padding=1)),
    "3x3 large batch": ((6, 6), (3, 3), 5, 3, dict(padding=1)),
    "5x5": ((8, 8), (5, 5), 6, 3, dict(padding=2)),
    "11x11": ((20, 20), (11, 11), 3, 4, dict(strides=4, padding=2)),
    "1x7": ((5, 9), (1, 7), 3, 2, dict(padding=((0, 0), (3, 3)))),
    "groups": ((6, 6), (3, 3), 4, 6, dict(padding=1, feature_group_count=2)),
    "dilated": ((9, 8), (3, 3), 3, 2, dict(padding=2, kernel_dilation=2)),
    "one axis": ((9,), (3,), 3, 2, dict(padding=1)),
}


def distance(ours, theirs):
    return float(jnp.linalg.norm(ours - theirs) / jnp.linalg.norm(theirs))


@pytest.fixture(scope="module")
def results():
    """Output and gradients of every case, by our module and by flax's, as one program each."""

    rng = np.random.default_rng(0)
    operands = {}
    for case, (sides, kernel, channels, features, options) in CASES.items():
        x = jax.ShapeDtypeStruct((21 if "batch" in case else 2, *sides, channels), jnp.float32)
        shapes = jax.eval_shape(Conv(features, kernel, **options).init, jax.random.key(0), x)
        operands[case] = jax.tree.map(
            lambda shape: rng.standard_normal(shape.shape, np.float32), (shapes, x)
        )

    def of(module):
        def compute(operands):
            found = {}
            for case, (_, kernel, _, features, options) in CASES.items():
                y, pull = jax.vjp(module(features, kernel, **options).apply, *operands[case])
                found[case] = (y, pull(jnp.cos(jnp.arange(y.size) / 2).reshape(y.shape)))
            return found

        return jax.jit(compute)(operands)

    return of(Conv), of(nn.Conv)


@pytest.mark.parametrize("case", CASES)
def test_output_and_gradients_equal_those_of_flax(case, results):
    ours, theirs = (found[case] for found in results)
    assert max(jax.tree.leaves(jax.tree.map(distance, ours, theirs))) < 1e-6


def strided(conv):
    return functools.partial(
        conv,
        window_strides=(2, 2),
        padding=((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def cubes(conv):
    return lambda x, kernel: (strided(conv)(x, kernel) ** 3).mean()


def pair():
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
    return x, jax.random.normal(jax.random.key(1), (3, 3, 3, 4))


def test_gradient_of_a_gradient_equals_that_of_xla():
    # The penalty of WGAN-GP: the norm of the gradient by the images, minimised over the kernel.
    def penalty(conv):
        return lambda x, kernel: jnp.square(jax.grad(cubes(conv))(x, kernel)).sum()

    found = jax.jit(jax.grad(penalty(conv_general_dilated), (0, 1)))(*pair())
    expected = jax.jit(jax.grad(penalty(XLA), (0, 1)))(*pair())
    assert max(jax.tree.leaves(jax.tree.map(distance, found, expected))) < 1e-5


def test_forward_mode_and_hessian_equal_those_of_xla():
    x, kernel = pair()
    tangents = (x[::-1], kernel[::-1])

    def both(conv):
        along = jax.hessian(lambda t: cubes(conv)(x + t * tangents[0], kernel + t * tangents[1]))
        return jax.jvp(cubes(conv), (x, kernel), tangents)[1], along(jnp.float32(0.5))

    ours, theirs = (jax.jit(functools.partial(both, conv)) for conv in (conv_general_dilated, XLA))
    found, expected = ours(), theirs()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_vmap_over_images_and_over_kernels():
    x, kernel = pair()
    many = jnp.stack([x, 2 * x, x[::-1]]), jnp.stack([kernel, kernel[::-1], -kernel])
    found = jax.jit(jax.vmap(jax.grad(cubes(conv_general_dilated), (0, 1))))(*many)
    expected = jax.jit(jax.vmap(jax.grad(cubes(XLA), (0, 1))))(*many)
    assert max(jax.tree.leaves(jax.tree.map(distance, found, expected))) < 1e-6


def test_bfloat16_stays_bfloat16():
    operands = jax.tree.map(lambda x: x.astype(jnp.bfloat16), pair())
    found = jax.jit(jax.grad(cubes(conv_general_dilated), (0, 1)))(*operands)
    expected = jax.jit(jax.grad(cubes(XLA), (0, 1)))(*operands)
    assert {x.dtype for x in found} == {jnp.dtype(jnp.bfloat16)}
    as_float = jax.tree.map(lambda x: x.astype(jnp.float32), (found, expected))
    assert max(jax.tree.leaves(jax.tree.map(distance, *as_float))) < 0.02


def lowered(conv, platform):
    gradient = jax.jit(jax.grad(cubes(conv), (0, 1)))
    return gradient.trace(*pair()).lower(lowering_platforms=(platform,)).as_text()


def test_gpus_and_tpus_get_the_convolutions_of_xla():
    def convolutions(text):
        return sorted(
            line.split("dim_numbers")[1] for line in text.splitlines() if "convolution(" in line
        )

    for platform in ("cuda", "tpu"):
        found = lowered(conv_general_dilated, platform)
        expected = lowered(XLA, platform)
        assert convolutions(found) == convolutions(expected)
        assert "dot_general" not in found
    assert "dot_general" in lowered(conv_general_dilated, "cpu")


def test_the_module_uses_these_gradients():
    # flax may drop the field that replaces its convolution; the name alone would then do nothing.
    conv = Conv(4, (3, 3))
    x, _ = pair()
    variables = init(conv, jax.random.key(0), x)
    assert set(variables["params"]) == {"kernel", "bias"}
    program = jax.make_jaxpr(jax.grad(lambda v: conv.apply(v, x).sum()))(variables)
    assert "dot_general" in str(program)


def test_no_view_of_the_input_is_kept_for_the_way_back():
    x, kernel = pair()
    pull = jax.vjp(strided(conv_general_dilated), x, kernel)[1]
    kept = sum(leaf.size for leaf in jax.tree.leaves(pull))
    assert kept <= x.size + kernel.size


@pytest.mark.parametrize("channels", [4, 40])
def test_views_of_a_large_input_are_made_one_after_the_other(monkeypatch, channels):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 16, 18, channels)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, channels, 5)), jnp.float32)
    cotangent = jnp.asarray(rng.normal(size=(2, 16, 18, 5)), jnp.float32)
    options = dict(window_strides=(1, 1), padding=((1, 1), (1, 1)))

    def gradients(convolve):
        def total(x, kernel):
            numbers = ("NHWC", "HWIO", "NHWC")
            return (convolve(x, kernel, **options, dimension_numbers=numbers) * cotangent).sum()

        return jax.jit(jax.grad(total, argnums=(0, 1)))

    expected = gradients(XLA)(x, kernel)
    monkeypatch.setattr(convolution, "LARGE_VIEW", 0)
    ours = gradients(conv_general_dilated).lower(x, kernel)
    assert "while" in ours.as_text()
    for found, theirs in zip(ours.compile()(x, kernel), expected, strict=True):
        assert distance(found, theirs) < 1e-6
