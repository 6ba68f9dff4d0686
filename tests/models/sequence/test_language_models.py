import functools

import jax
import jax.numpy as jnp
import network
import numpy as np
import pytest
from cases import quick

from jaxvision import models
from jaxvision.models.sequence.language_models import VARIANTS

# Vocabulary and parameters: Zaremba et al.'s three counted from their sizes, GPT's in
# transformers 5.24, the others by hand.
PARAMETERS = {
    "lstm_lm": (10_000, 4_651_600),
    "lstm_lm_medium": (10_000, 19_775_200),
    "lstm_lm_large": (10_000, 66_022_000),
    "gru_lm": (10_000, 4_010_000 + 2 * (2 * 200 * 600 + 2 * 600)),
    "rnn_lm": (10_000, 4_010_000 + 2 * (2 * 200 * 200 + 200)),
    "gpt1": (40_478, 116_534_784),
    "gpt2": (50_257, 124_439_808),
    "gpt2_medium": (50_257, 354_823_168),
    "gpt2_large": (50_257, 774_030_080),
    "gpt2_xl": (50_257, 1_557_611_200),
    "gpt1_tiny": (100, (100 + 256) * 128 + 4 * 198_272),
    "gpt2_tiny": (100, (100 + 256) * 128 + 4 * 198_272 + 256),
}
# With PyTorch's two biases.
TWO_BIASES = {"lstm_lm": 4_653_200, "lstm_lm_medium": 19_780_400, "lstm_lm_large": 66_034_000}
SMALL = {
    "lstm_lm": dict(features=8),
    "gru_lm": dict(features=8),
    "gpt2_tiny": dict(features=8, num_heads=2, num_layers=2, max_length=9),
}

jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def shapes(model):
    tokens = jnp.zeros((1, 2), jnp.int32)
    return jax.eval_shape(lambda: model.init(jax.random.key(0), tokens, train=False))


@pytest.mark.parametrize("variant", quick(VARIANTS, "lstm_lm", "gpt1_tiny", "gpt2"))
def test_parameter_count_matches_reference(variant):
    vocabulary_size, expected = PARAMETERS[variant]
    model = models.language_model(variant, vocabulary_size=vocabulary_size)
    assert network.count(shapes(model)) == expected
    if variant in TWO_BIASES:
        assert network.count(shapes(model.clone(recurrent_bias=True))) == TWO_BIASES[variant]


@pytest.mark.parametrize("variant", quick(SMALL, "lstm_lm", "gpt2_tiny"))
def test_steps_give_the_logits_of_the_whole(variant):
    model = models.language_model(variant, vocabulary_size=7, **SMALL[variant])
    variables = network.filled(shapes(model))
    tokens = np.random.default_rng(0).integers(0, 7, (3, 9)).astype(np.int32)
    whole = jit(lambda t: model.apply(variables, t, train=False))(tokens)
    step = jit(lambda *x: model.apply(variables, *x, method="step"))
    cache = model.apply(variables, 3, 9, method="empty_cache")
    for i in range(9):
        logits, cache = step(tokens[:, i], jnp.int32(i), cache)
        np.testing.assert_allclose(logits, whole[:, i], rtol=2e-5, atol=2e-5)


def test_a_carry_joins_two_batches_of_a_text():
    model = models.language_model("lstm_lm", vocabulary_size=7, features=8)
    variables = network.filled(shapes(model))
    tokens = np.random.default_rng(0).integers(0, 7, (2, 8)).astype(np.int32)
    read = jit(lambda t, c: model.apply(variables, t, c, train=False, method="continued"))
    first, carry = read(tokens[:, :4], model.empty_carry(2))
    second, _ = read(tokens[:, 4:], carry)
    whole = jit(lambda t: model.apply(variables, t, train=False))(tokens)
    np.testing.assert_allclose(jnp.concatenate([first, second], axis=1), whole, atol=2e-6)


def test_initial_values():
    def params(model):
        tokens = jnp.zeros((1, 2), jnp.int32)
        return jit(lambda: model.init(jax.random.key(0), tokens, train=False)["params"])()

    gpt = models.language_model("gpt2_tiny", vocabulary_size=9, features=64, num_layers=1)
    block = params(gpt)["stack"]["layer1"]
    assert block["feed_forward"]["expand"]["kernel"].std() == pytest.approx(0.02, rel=0.03)
    for name, layer in (("feed_forward", "reduce"), ("attention", "out")):
        assert block[name][layer]["kernel"].std() == pytest.approx(0.02 / 2**0.5, rel=0.03)
    lstm = models.language_model("lstm_lm", vocabulary_size=9, features=40, num_layers=1)
    kernel = params(lstm)["rnn"]["layer1"]["recurrent"]["kernel"]
    assert kernel.std() == pytest.approx(0.1 / 3**0.5, rel=0.03)


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="variant must be one of gpt2"):
        models.language_model("gpt3", vocabulary_size=5)
    with pytest.raises(ValueError, match="kind must be one of rnn_tanh, .* got elman"):
        shapes(models.language_model("lstm_lm", vocabulary_size=5, kind="elman"))
    with pytest.raises(ValueError, match="at most max_length 3"):
        model = models.language_model("gpt2_tiny", vocabulary_size=5, max_length=3)
        jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 4), int), train=False))
