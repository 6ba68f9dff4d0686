import functools

import jax
import jax.numpy as jnp
import network
import numpy as np
import pytest

from jaxvision import models
from jaxvision.models.sequence.attention import attention_weights, causal_mask, padding_mask
from jaxvision.models.sequence.embedding import sinusoidal_positions
from jaxvision.models.sequence.stack import Block, Stack
from jaxvision.models.sequence.transformer import VARIANTS

# Of the stacks and one table of 10,000 or 37,000 rows: counted in PyTorch's `nn.Transformer` less
# its final norms.
PARAMETERS = {
    "transformer_tiny": (10_000, 2_605_056),
    "transformer_base": (37_000, 63_082_496),
    "transformer_big": (37_000, 214_245_376),
}
WITHOUT_BIAS = {"transformer_base": 63_045_632, "transformer_big": 214_171_648}

# What is compiled here runs for milliseconds.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def small(**changes):
    fields = dict(features=16, hidden=32, num_heads=4, num_layers=(1, 2), dropout_rate=0.1)
    return models.transformer("tiny", vocabulary_size=11, **(fields | changes))


def variable_shapes(model, source=3, target=3):
    tokens = [jnp.zeros((1, length), jnp.int32) for length in (source, target)]
    return jax.eval_shape(lambda: model.init(jax.random.key(0), *tokens, train=False))


def tokens(length, seed=0, rows=3):
    return np.random.default_rng(seed).integers(1, 11, (rows, length)).astype(np.int32)


@functools.cache
def run(**changes):
    """Returns a small model, its variables and its compiled forward pass."""
    model = small(**changes)
    variables = network.filled(variable_shapes(model))
    return model, variables, jit(lambda *x: model.apply(variables, *x, train=False))


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameter_count_matches_reference(variant):
    vocabulary_size, expected = PARAMETERS[variant]
    model = models.transformer(variant, vocabulary_size=vocabulary_size)
    assert network.count(variable_shapes(model)) == expected
    assert variant in models.variants()
    if variant in WITHOUT_BIAS:
        model = model.clone(attention_bias=False)
        assert network.count(variable_shapes(model)) == WITHOUT_BIAS[variant]


def test_options_add_what_they_name():
    base = network.count(variable_shapes(small()))
    assert network.count(variable_shapes(small(pre_norm=True))) == base + 2 * 2 * 16
    assert network.count(variable_shapes(small(pre_norm=True, final_norm=False))) == base
    assert network.count(variable_shapes(small(final_norm=True))) == base + 2 * 2 * 16
    learned = small(positions="learned", max_length=7)
    assert network.count(variable_shapes(learned)) == base + 2 * 7 * 16


def test_sinusoids_interleave_sine_and_cosine():
    codes = sinusoidal_positions(60, 6)
    t, d = 41, 6
    for i in range(3):
        angle = t / 10_000 ** (2 * i / d)
        np.testing.assert_allclose(codes[t, 2 * i], np.sin(angle), atol=1e-6)
        np.testing.assert_allclose(codes[t, 2 * i + 1], np.cos(angle), atol=1e-6)


def test_attention_weights_match_a_loop():
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(2, 3, 2, 4)), rng.normal(size=(2, 5, 2, 4))
    mask = rng.random((2, 2, 3, 5)) < 0.6
    mask[0, 1, 2] = False
    weights = attention_weights(jnp.float32(queries), jnp.float32(keys), jnp.asarray(mask))
    for b, h, t in np.ndindex(2, 2, 3):
        scores = np.array([queries[b, t, h] @ keys[b, s, h] / 2.0 for s in range(5)])
        expected = np.exp(scores) * mask[b, h, t]
        expected = expected / max(expected.sum(), 1e-30)
        np.testing.assert_allclose(weights[b, h, t], expected, atol=1e-6)


def test_query_that_may_attend_to_nothing_gets_nothing_and_has_a_finite_gradient():
    x = jnp.ones((1, 2, 1, 4))
    mask = jnp.array([[True, True], [False, False]])[None, None]
    weights, grad = jax.jit(jax.value_and_grad(lambda x: attention_weights(x, x, mask).sum()))(x)
    assert weights == 1.0
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("pre_norm", [False, True])
def test_future_tokens_change_nothing_before_them(pre_norm):
    _, _, forward = run(pre_norm=pre_norm)
    source, target = tokens(6), tokens(8, seed=1)
    before = forward(source, target)
    for t in (1, 5, 7):
        changed = target.copy()
        changed[:, t:] = (changed[:, t:] + 3) % 10 + 1
        after = forward(source, changed)
        np.testing.assert_array_equal(before[:, :t], after[:, :t])
        assert (before[:, t] != after[:, t]).any(axis=-1).all()


def test_padding_changes_no_output():
    """Whatever stands where a mask says padding, in the source as in the target."""
    block = functools.partial(
        Block,
        num_heads=2,
        features=8,
        hidden=8,
        pre_norm=False,
        dropout_rate=0.0,
        attention_dropout_rate=0.0,
        activation_dropout_rate=0.0,
        attention_bias=True,
        dtype=jnp.float32,
    )
    encoder = Stack(functools.partial(block, cross=False), 2, final_norm=False)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 8)).astype(np.float32)
    valid = np.arange(6)[None] < np.array([[6], [3]])
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), x, train=False))
    variables = network.filled(shapes)
    forward = jit(lambda x, mask: encoder.apply(variables, x, mask, train=False))
    before = forward(x, padding_mask(jnp.asarray(valid)))
    other = np.where(valid[..., None], x, 100.0 * rng.normal(size=x.shape)).astype(np.float32)
    after = forward(other, padding_mask(jnp.asarray(valid)))
    np.testing.assert_array_equal(np.asarray(before)[valid], np.asarray(after)[valid])

    # The same blocks under a causal mask are a language model: no later token is seen.
    before = forward(x, causal_mask(6))
    other[:, :3] = x[:, :3]
    other[:, 3:] = 0.0
    after = forward(other, causal_mask(6))
    np.testing.assert_array_equal(before[:, :3], after[:, :3])


def test_source_padding_changes_no_logits():
    _, _, forward = run()
    source, target = tokens(6), tokens(8, seed=1)
    padded = np.pad(source, ((0, 0), (0, 5)))
    np.testing.assert_allclose(forward(source, target), forward(padded, target), atol=1e-5)
    # A longer target in the same shape leaves what comes before its padding as it is.
    shorter = target.copy()
    shorter[:, 3:] = 0
    before, after = forward(source, target), forward(source, shorter)
    np.testing.assert_array_equal(before[:, :3], after[:, :3])


def test_source_without_a_token_gives_numbers():
    _, _, forward = run()
    source = tokens(6)
    source[1] = 0
    logits = forward(source, tokens(8, seed=1))
    assert np.isfinite(logits).all()


def test_queries_come_from_the_target_and_keys_and_values_from_the_source():
    model, variables, _ = run()
    inputs = dict(source=tokens(6), target=tokens(4), train=False, mutable=["intermediates"])
    _, state = jax.eval_shape(lambda: model.apply(variables, **inputs))
    decoder = state["intermediates"]["stacks"]["decoder"]["layer2"]
    (own,), (cross,) = decoder["attention"]["weights"], decoder["cross_attention"]["weights"]
    assert own.shape == (3, 4, 4, 4) and cross.shape == (3, 4, 4, 6)


@pytest.mark.parametrize(
    "changes", [{}, dict(pre_norm=True, positions="learned", max_length=9)], ids=["post", "pre"]
)
def test_steps_with_a_cache_equal_the_whole_sequence(changes):
    model, variables, forward = run(**changes)
    source = tokens(6)
    source[1, 4:] = 0
    # Two hypotheses for each source.
    target = tokens(8, seed=1, rows=6)
    whole = forward(np.repeat(source, 2, axis=0), target)

    @jit
    def decode(source, target):
        apply = functools.partial(model.apply, variables)
        memory = apply(source, method="encode")

        def step(cache, inputs):
            position, column = inputs
            logits, cache = apply(column, position, memory, cache, method="step")
            return cache, logits

        cache = apply(6, 8, method="empty_cache")
        return jax.lax.scan(step, cache, (jnp.arange(8), target.T))[1]

    np.testing.assert_allclose(decode(source, target).swapaxes(0, 1), whole, atol=1e-5)


def test_logits_and_parameters_are_float32_in_bfloat16():
    model = small(dtype=jnp.bfloat16)
    logits, variables = jax.eval_shape(
        lambda: model.init_with_output(jax.random.key(0), tokens(5), tokens(4), train=False)
    )
    assert logits.shape == (3, 4, 11)
    assert {x.dtype for x in jax.tree.leaves((logits, variables))} == {jnp.dtype("float32")}


def test_dropout_is_where_the_paper_and_the_options_have_it():
    """Counts the masks drawn: one a sublayer and stack's input, more by the options."""

    def masks(**changes):
        model = small(**changes)
        rngs = {"dropout": jax.random.key(0)}

        def forward(variables):
            return model.apply(variables, tokens(6), tokens(4), train=True, rngs=rngs)

        jaxpr = str(jax.make_jaxpr(forward)(variable_shapes(model)))
        return jaxpr.count("name=_bernoulli") or jaxpr.count("_bernoulli[")

    sublayers = 1 * 2 + 2 * 3
    assert masks() == sublayers + 2
    assert masks(dropout_rate=0.0) == 0
    assert masks(dropout_rate=0.0, attention_dropout_rate=0.1) == 1 + 2 * 2
    assert masks(dropout_rate=0.0, activation_dropout_rate=0.1) == 1 + 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(features=18), "features must be a multiple of the number of heads, 4, got 18"),
        (dict(features=17, num_heads=1), "features must be even"),
        (dict(positions="rotary"), "positions must be one of sinusoidal, learned, got rotary"),
        (dict(positions="learned", max_length=2), "at most max_length 2 long.*got 3"),
    ],
)
def test_wrong_options_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        variable_shapes(small(**changes))


def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="variant must be one of transformer_tiny.*got huge"):
        models.transformer("huge", vocabulary_size=3)
