"""GPT and GPT-2 of Hugging Face's transformers, through the importer of weights."""

import functools

import fill
import jax
import numpy as np
import optax
import pytest
from cases import quick
from reference import FORWARD, TRAINING, assert_agrees, state_of

from jaxvision import pretrained

NAMES = ("gpt1_tiny", "gpt2_tiny")


@functools.cache
def loaded(name):
    case = fill.load_case(name)
    return case, *pretrained.load(name, state_of(case))


@pytest.mark.parametrize("name", quick(NAMES, *NAMES))
def test_logits_loss_and_gradients_match_reference(name):
    case, model, variables = loaded(name)
    assert sum(x.size for x in jax.tree.leaves(variables)) == case["num_params"]
    tokens = case["tokens"].astype(np.int32)

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def objective(variables):
        logits = model.apply(variables, tokens, train=False)
        terms = optax.softmax_cross_entropy_with_integer_labels(logits[:, :-1], tokens[:, 1:])
        return terms.mean(), logits

    (loss, logits), grads = objective(variables)
    assert_agrees(logits, case["logits"], FORWARD)
    assert_agrees(loss, case["loss"], TRAINING)
    exported = pretrained.export(name, grads)
    for key in case:
        if key.startswith("grad:"):
            assert_agrees(exported[key.removeprefix("grad:")], case[key], TRAINING)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_written_back_and_read_under_other_names(name):
    case, model, variables = loaded(name)
    state = state_of(case)
    exported = pretrained.export(name, variables)
    assert exported.keys() == state.keys()
    assert all(np.array_equal(exported[key], value) for key, value in state.items())
    # As the files of the bare model, with buffers and the tied layer.
    bare = {key.removeprefix("transformer."): value for key, value in state.items()}
    bare["h.0.attn.bias"] = np.ones((1, 1, 40, 40), np.float32)
    bare["lm_head.weight"] = next(iter(state.values()))
    _, again = pretrained.load(name, bare)
    assert jax.tree.all(jax.tree.map(np.array_equal, again, variables))
    bare["lm_head.weight"] = bare["lm_head.weight"] + 1
    with pytest.raises(ValueError, match="not used by the model:\n  lm_head.weight"):
        pretrained.load(name, bare)
    with pytest.raises(ValueError, match="multiple of the number of heads, 5, got 32"):
        pretrained.load(name, state, num_heads=5)
