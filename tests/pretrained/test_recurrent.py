"""PyTorch's recurrent layers and language models of them, through the importer of weights."""

import functools

import fill
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases import quick
from reference import FORWARD, TRAINING, assert_agrees, state_of

from jaxvision import pretrained

LAYERS = ("rnn_tanh", "rnn_relu", "lstm", "gru")
# Initial carries by their names in the cases.
CARRIES = {"lstm": ("h", "c")}


def loaded(name):
    case = fill.load_case(name)
    state = state_of(case)
    model, variables = pretrained.load(name, state)
    assert sum(x.size for x in jax.tree.leaves(variables)) == case["num_params"]
    exported = pretrained.export(name, variables)
    assert exported.keys() == state.keys()
    assert all(np.array_equal(exported[key], value) for key, value in state.items())
    return case, model, variables


@pytest.mark.parametrize("name", quick(LAYERS, "lstm", "gru"))
def test_layers_match_reference_with_and_without_padding(name):
    case, model, variables = loaded(name)
    names = CARRIES.get(name, ("h",))
    layers = int(case["layers"])
    start = tuple(tuple(case[f"{n}0"][i] for n in names) for i in range(layers))

    @functools.partial(jax.jit, static_argnames="padded")
    def results(variables, inputs, start, padded):
        def objective(variables, inputs, start):
            valid = np.arange(inputs.shape[1])[None] < case["lengths"][:, None]
            output, carry = model.apply(
                variables, inputs, start, valid if padded else None, train=False
            )
            last = [jnp.stack([layer[k] for layer in carry]) for k in range(len(names))]
            parts = [(output * case["weight_output"]).sum()]
            parts += [(x * case[f"weight_{n}"]).sum() for n, x in zip(names, last, strict=True)]
            return sum(parts), (output, last)

        return jax.value_and_grad(objective, (0, 1, 2), has_aux=True)(variables, inputs, start)

    for prefix in ("full", "padded"):
        (loss, (output, last)), grads = results(variables, case["inputs"], start, prefix != "full")
        assert_agrees(output, case[f"{prefix}_output"], FORWARD)
        for n, x in zip(names, last, strict=True):
            assert_agrees(x, case[f"{prefix}_{n}"], FORWARD)
        assert_agrees(loss, case[f"{prefix}_loss"], TRAINING)
        assert_agrees(grads[1], case[f"{prefix}_grad_inputs"], TRAINING)
        for k, n in enumerate(names):
            theirs = case[f"{prefix}_grad_{n}0"]
            assert_agrees(jnp.stack([layer[k] for layer in grads[2]]), theirs, TRAINING)
        for key, ours in pretrained.export(name, grads[0]).items():
            assert_agrees(ours, case[f"{prefix}_grad:{key}"], TRAINING)


@pytest.mark.parametrize("name", quick(["lstm_lm", "gru_lm"], "lstm_lm"))
def test_three_steps_of_truncated_backpropagation_match_reference(name):
    case, model, variables = loaded(name)
    tokens, steps = case["tokens"].astype(np.int32), int(case["steps"])
    clip = optax.clip_by_global_norm(float(case["clip"]))

    @jax.jit
    def step(variables, carry, part):
        def objective(variables):
            logits, new = model.apply(
                variables, part[:, :-1], carry, train=False, method="continued"
            )
            terms = optax.softmax_cross_entropy_with_integer_labels(logits, part[:, 1:])
            return terms.sum(axis=1).mean(), (logits, new)

        (loss, aux), grads = jax.value_and_grad(objective, has_aux=True)(variables)
        clipped, _ = clip.update(grads, clip.init(grads))
        new = jax.tree.map(lambda x, g: x - g, variables, clipped)
        return new, loss, aux, optax.tree.norm(grads), clipped

    carry = model.empty_carry(len(tokens))
    for i in range(3):
        part = tokens[:, i * steps : (i + 1) * steps + 1]
        variables, loss, (logits, carry), norm, clipped = step(variables, carry, part)
        assert_agrees(loss, case[f"loss{i}"], TRAINING)
        assert_agrees(norm, case[f"grad_norm{i}"], TRAINING)
        assert_agrees(jnp.exp(loss / steps), case[f"perplexity{i}"], TRAINING)
        if i == 0:
            assert_agrees(logits, case["logits"], FORWARD)
            for key, ours in pretrained.export(name, clipped).items():
                assert_agrees(ours, case[f"clipped_grad:{key}"], TRAINING)
    for k, last in enumerate(zip(*carry, strict=True)):
        assert_agrees(jnp.stack(last), case[f"final_state{k}"], TRAINING)
    exported = pretrained.export(name, variables)
    for key in case:
        if key.startswith("final:"):
            assert_agrees(exported[key.removeprefix("final:")], case[key], TRAINING)
