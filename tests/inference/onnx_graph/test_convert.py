"""Each operation as ONNX, against JAX, for batches of two lengths of one model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxvision.layers.max_pooling import max_over_windows
from jaxvision.ops.nms import Candidates, non_maximum_suppression

pytest.importorskip("onnx", reason="needs the extra export")
ort = pytest.importorskip("onnxruntime", reason="needs the extra export")

from jaxvision.inference.onnx_graph.convert import convert  # noqa: E402

SHAPE = (8, 8, 4)


def kernel(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def convolved(x, size=3, groups=1, **options):
    given = kernel(size, size, 4 // groups, 8)
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, given, dimension_numbers=numbers, feature_group_count=groups, **options
    )


def flat(x):
    return x.reshape(x.shape[0], -1)


def suppressed(x):
    corners = x[..., 0].reshape(x.shape[0], 32, 2)
    sides = jnp.abs(x[..., 1].reshape(x.shape[0], 32, 2)) + 0.1
    classes = (flat(x[..., 2])[:, :32] > 0).astype(jnp.int32)
    found = Candidates(
        jnp.concatenate([corners, corners + sides], -1), flat(x[..., 3])[:, :32], classes
    )
    options = dict(iou_threshold=0.2, score_threshold=0.0, max_detections=9, max_candidates=30)
    return jax.vmap(lambda one: non_maximum_suppression(one, **options))(found)


def scanned(x):
    """Returns loops over rows, in both directions, with and without rows and results of each."""
    rows = jnp.swapaxes(x[..., 0], 0, 1)
    bias = flat(x)[:, :8]  # of the batch, from outside of the loop

    def step(carry, row):
        total, last = carry
        return (total + jnp.tanh(row) * bias, row), (total * 2, row[:, :3] + last[:, :3])

    def halve(carry, nothing):
        del nothing
        return carry / 2 + bias, None

    first = jnp.zeros_like(bias), jnp.ones_like(bias)
    found = [
        jax.lax.scan(step, first, rows),
        jax.lax.scan(step, first, rows, reverse=True),
        jax.lax.scan(halve, bias, None, length=5),
        jax.lax.scan(lambda carry, row: (carry, row * 3), jnp.zeros_like(bias), rows),
    ]
    # Rows of the batch come first.
    return [jnp.swapaxes(x, 0, x.ndim - 2) for x in jax.tree.leaves(found)]


# Each maps [B, 8, 8, 4] float32 to an array or a tree of them.
FUNCTIONS = {
    "padding that is not the same on both sides": lambda x: convolved(
        x, window_strides=(2, 2), padding=((0, 1), (2, 1))
    ),
    "dilation": lambda x: convolved(x, window_strides=(1, 1), padding="SAME", rhs_dilation=(2, 2)),
    "groups": lambda x: convolved(x, groups=2, window_strides=(1, 1), padding="VALID"),
    "transposed convolutions": lambda x: [
        jax.lax.conv_transpose(x, kernel(size, size, 4, 3), (2, 2), padding)
        for size, padding in ((4, "SAME"), (3, "SAME"), (2, "VALID"), (4, ((2, 2), (2, 2))))
    ],
    # The pooling of a ResNet: 4 x 4, without the padding 3 x 3.
    "max pooling with padding": lambda x: max_over_windows(x, (3, 3), (2, 2), ((1, 1), (1, 1))),
    "mean pooling": lambda x: nn.avg_pool(x, (2, 2), strides=(2, 2)),
    "normalisation": lambda x: (
        (x - x.mean((1, 2), keepdims=True)) * jax.lax.rsqrt(x.var((1, 2), keepdims=True) + 1)
    ),
    "channels first and back": lambda x: (
        jnp.tanh(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1) + x
    ),
    "attention": lambda x: jax.nn.dot_product_attention(*(x[:, :, :4],) * 3),
    "products of all axes": lambda x: jnp.einsum("bhwc,bhvc,cd->bwvd", x, x, kernel(4, 5)),
    "dense": lambda x: flat(x) @ kernel(256, 3),
    "softmax": lambda x: jax.nn.softmax(flat(x)),
    "activations": lambda x: [
        f(x)
        for f in (
            jax.nn.gelu,
            jax.nn.silu,
            jax.nn.softplus,
            jax.nn.relu6,
            jax.nn.hard_swish,
            jnp.expm1,
            jax.lax.erfc,
        )
    ],
    "powers": lambda x: [
        x**2,
        x**3,
        jnp.abs(x) ** 0.5,
        1 / (x + 9),
        jax.lax.integer_pow(x + 9, -1),
    ],
    "rounding": lambda x: [
        jnp.round(4 * x) / 4,
        jnp.floor(x),
        jnp.ceil(x),
        jnp.sign(x),
        jnp.fmod(x, 0.7),
    ],
    "choices": lambda x: [
        jnp.where(x > 0, x, 2),
        jnp.where(x > 0, x < 1, x < -1),
        jnp.clip(x, -0.5, 0.5),
        (x != 0) ^ (x > 1),
    ],
    "any and all": lambda x: [(x > 1).any(-1), (x > -1).all((1, 2)), (x > 0).sum(-1)],
    "extremes": lambda x: [x.max(-1), x.min((1, 2)), x.argmax(-1), x.argmin(1), x[..., 0].prod(-1)],
    "parts": lambda x: [
        x[:, 1:5:2, ::-1],
        x[:, 3],
        *jnp.split(x, 2, axis=-1),
        jnp.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))),
    ],
    "stacks": lambda x: [
        jnp.stack([x, 2 * x], axis=-1),
        sum(jnp.unstack(x, axis=2)),
        jnp.tile(x, (1, 2, 1, 3)),
        jnp.repeat(x, 2, axis=1),
    ],
    "negative padding": lambda x: jax.lax.pad(
        x, 1.0, ((0, 0, 0), (-1, 2, 0), (0, -3, 0), (0, 0, 0))
    ),
    "turned around": lambda x: [jnp.roll(x, (1, -2), (1, 2)), x[:, ::-1]],
    "lookups": lambda x: [
        jnp.take(x, np.array([3, 0, 1]), axis=2),
        jnp.asarray(kernel(9, 2))[jnp.clip(x[..., 0].astype(int), 0, 8)],
        jnp.take_along_axis(flat(x), flat(x).argsort()[:, :5], 1),
    ],
    "orders": lambda x: [jnp.sort(flat(x)), jax.lax.top_k(flat(x), 5), jnp.cumsum(x, axis=1)],
    "added to what the batch does not change": lambda x: (
        jnp.broadcast_to(jnp.arange(4.0), (x.shape[0], 4)) + x[:, 0, 0]
    ),
    "angles in all quadrants": lambda x: jnp.arctan2(jnp.floor(x[..., 0]), jnp.floor(x[..., 1])),
    "suppression of a batch": suppressed,
    "loops over rows": scanned,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_operation_is_the_same_in_onnx(name):
    function = FUNCTIONS[name]

    def named(x):
        return {f"y{i}": y for i, y in enumerate(jax.tree.leaves(function(x)))}

    model = convert(named, SHAPE, np.float32, name="x")
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
    expected = jax.device_get(jax.jit(named)(x))
    for count in (3, 1):
        found = session.run(None, {"x": x[:count]})
        for got, wanted in zip(found, expected.values(), strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_allclose(got, wanted[:count], rtol=1e-5, atol=1e-5)


def test_what_does_not_depend_on_the_input_is_computed_before():
    model = convert(
        lambda x: {"y": x + jnp.sin(jnp.arange(4.0))[None, None, None]}, SHAPE, np.float32, name="x"
    )
    assert [node.op_type for node in model.graph.node] == ["Add", "Identity"]


def test_a_chain_of_convolutions_is_transposed_at_its_ends_alone():
    def chain(x):
        for size in (3, 1):
            x = jax.nn.relu(convolved(x, size, window_strides=(1, 1), padding="SAME")[..., :4] + 1)
        return {"y": x}

    model = convert(chain, SHAPE, np.float32, name="x")
    assert sum(node.op_type == "Transpose" for node in model.graph.node) == 2


def test_an_operation_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="ONNX export does not know the operation lgamma"):
        convert(lambda x: {"y": jax.lax.lgamma(x)}, SHAPE, np.float32, name="x")
    with pytest.raises(ValueError, match="multiple of the batch's length, got .*batch \\+ 1"):
        convert(
            lambda x: {"y": jnp.pad(x, ((0, 1), (0, 0), (0, 0), (0, 0)))},
            SHAPE,
            np.float32,
            name="x",
        )
