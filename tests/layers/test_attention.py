import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.layers import attention
from jaxvision.layers.attention import SelfAttention

HEADS, WIDTH = 2, 16


def parameters(width=WIDTH, seed=0):
    rng = np.random.default_rng(seed)

    def dense(features):
        kernel = rng.standard_normal((width, features)) / np.sqrt(width)
        return {"kernel": kernel.astype(np.float32), "bias": rng.random(features, np.float32)}

    return {"qkv": dense(3 * width), "out": dense(width)}


def masks(tokens, rng):
    """No mask, random ones by example and head, and the causal one."""
    random = rng.random((2, HEADS, tokens, tokens)) < 0.5
    random[..., 0] = True
    return None, random, np.tril(np.ones((1, 1, tokens, tokens), bool))


def reference(params, x, bias, mask, cotangent):
    """Output, weights and the gradients of sum(output * cotangent), float64, equation by equation.

    Returns:
        Output [B, T, D], weights [B, H, T, T], gradients of x, of both kernels and of the bias.
    """
    p = jax.tree.map(lambda v: v.astype(np.float64), params)
    x, cotangent, bias = (v.astype(np.float64) for v in (x, cotangent, bias))
    b, t, d = x.shape
    size = d // HEADS
    qkv = x @ p["qkv"]["kernel"] + p["qkv"]["bias"][None, None]
    q, k, v = (
        qkv[..., i * d : (i + 1) * d].reshape(b, t, HEADS, size).swapaxes(1, 2) for i in range(3)
    )
    logits = q @ k.swapaxes(2, 3) / np.sqrt(size) + bias
    if mask is not None:
        logits = np.where(mask, logits, -np.inf)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    joined = (weights @ v).swapaxes(1, 2).reshape(b, t, d)
    output = joined @ p["out"]["kernel"] + p["out"]["bias"][None, None]

    d_joined = cotangent @ p["out"]["kernel"].T
    d_heads = d_joined.reshape(b, t, HEADS, size).swapaxes(1, 2)
    d_weights = d_heads @ v.swapaxes(2, 3)
    d_logits = weights * (d_weights - (d_weights * weights).sum(-1, keepdims=True))
    d_q = d_logits @ k / np.sqrt(size)
    d_k = d_logits.swapaxes(2, 3) @ q / np.sqrt(size)
    d_v = weights.swapaxes(2, 3) @ d_heads
    d_qkv = np.concatenate([y.swapaxes(1, 2).reshape(b, t, d) for y in (d_q, d_k, d_v)], -1)
    gradients = {
        "x": d_qkv @ p["qkv"]["kernel"].T,
        "qkv": np.einsum("btd,bte->de", x, d_qkv),
        "out": np.einsum("btd,bte->de", joined, cotangent),
        "bias": d_logits.sum(0, keepdims=True),
    }
    return output, weights, gradients


@pytest.mark.parametrize("tokens", [1, 50, 197])
def test_output_weights_and_gradient_equal_a_float64_computation(tokens):
    rng = np.random.default_rng(tokens)
    params, layer = parameters(), SelfAttention(HEADS)
    x, cotangent = rng.standard_normal((2, 2, tokens, WIDTH)).astype(np.float32)
    bias = rng.standard_normal((1, HEADS, tokens, tokens)).astype(np.float32)

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def run(params, x, bias, mask):
        def objective(params, x, bias):
            y, state = layer.apply(
                {"params": params}, x, bias=bias, mask=mask, mutable=["intermediates"]
            )
            return (y * cotangent).sum(), (y, state["intermediates"]["weights"][0])

        return jax.grad(objective, (0, 1, 2), has_aux=True)(params, x, bias)

    for mask in masks(tokens, rng):
        output, weights, expected = reference(params, x, bias, mask, cotangent)
        all_true = np.ones((1, 1, tokens, tokens), bool)
        # The mask of ones is that of None, and one fewer compilation.
        (grads, dx, dbias), (y, sown) = run(params, x, bias, all_true if mask is None else mask)
        np.testing.assert_allclose(sown, weights, atol=1e-6)
        np.testing.assert_allclose(sown.sum(-1), np.ones((2, HEADS, tokens)), atol=1e-6)
        ours = dict(x=dx, qkv=grads["qkv"]["kernel"], out=grads["out"]["kernel"], bias=dbias)
        for a, b in ((y, output), *((ours[name], expected[name]) for name in expected)):
            assert np.abs(a - b).max() <= 3e-6 * max(np.abs(b).max(), 1)
        if mask is not None:
            broadcast = np.broadcast_to(mask, sown.shape)
            assert not np.asarray(sown)[~broadcast].any()


def test_no_mask_attends_to_every_token():
    x = np.random.default_rng(0).standard_normal((1, 5, WIDTH)).astype(np.float32)
    variables, layer = {"params": parameters()}, SelfAttention(HEADS)
    full = layer.apply(variables, x, mask=np.ones((1, 1, 5, 5), bool))
    np.testing.assert_allclose(layer.apply(variables, x), full, atol=1e-6)


def test_query_without_any_key_gets_the_mean_of_the_values():
    x = np.random.default_rng(0).standard_normal((1, 3, WIDTH)).astype(np.float32)
    mask = np.ones((1, 1, 3, 3), bool)
    mask[0, 0, 1] = False
    params = parameters()
    layer = SelfAttention(HEADS)
    y, state = layer.apply({"params": params}, x, mask=mask, mutable=["intermediates"])
    value = x @ params["qkv"]["kernel"][:, 2 * WIDTH :] + params["qkv"]["bias"][None, None, 32:]
    expected = value.mean(1) @ params["out"]["kernel"] + params["out"]["bias"][None]
    np.testing.assert_allclose(y[:, 1], expected, atol=1e-5)
    np.testing.assert_allclose(state["intermediates"]["weights"][0][0, :, 1], 1 / 3, atol=1e-6)


def test_weights_are_computed_only_if_they_are_asked_for(monkeypatch):
    calls = []
    monkeypatch.setattr(attention, "attention_weights", lambda *a: calls.append(a) or jnp.zeros(1))
    layer, x = SelfAttention(HEADS), jnp.zeros((1, 3, WIDTH))
    jax.eval_shape(lambda: layer.init(jax.random.key(0), x))
    jax.eval_shape(lambda: layer.apply({"params": parameters()}, x))
    assert not calls
    jax.eval_shape(lambda: layer.apply({"params": parameters()}, x, mutable=["intermediates"]))
    assert len(calls) == 1


def test_heads_that_do_not_divide_the_width_are_an_error():
    with pytest.raises(ValueError, match="got 5 heads and a width of 16"):
        SelfAttention(5).init(jax.random.key(0), jnp.zeros((1, 3, WIDTH)))


def test_cudnn_is_refused_where_it_cannot_run(monkeypatch):
    layer = SelfAttention(HEADS, implementation="cudnn", dtype=jnp.bfloat16)
    with pytest.raises(ValueError, match="needs an NVIDIA GPU, this is a cpu"):
        layer.init(jax.random.key(0), jnp.zeros((1, 3, WIDTH)))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(ValueError, match="needs dtype bfloat16 or float16, got float32"):
        attention.check_implementation("cudnn", jnp.float32, 64)
    with pytest.raises(ValueError, match="multiple of 8 channels, got 20"):
        attention.check_implementation("cudnn", jnp.bfloat16, 20)
    attention.check_implementation("cudnn", jnp.bfloat16, 64)
    with pytest.raises(ValueError, match='must be None, "xla" or "cudnn", got flash'):
        attention.check_implementation("flash", jnp.bfloat16, 64)
