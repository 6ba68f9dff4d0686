"""PyTorch's `nn.Transformer`, through the importer of its weights."""

import fill
import jax
import numpy as np
import pytest

from jaxvision.pretrained.transformer import export_stacks, load_stacks


@pytest.fixture(scope="module")
def case():
    return fill.load_case("transformer_small")


def test_output_matches_reference(case):
    model, variables = load_stacks(fill.fill_state(case["spec"]), num_heads=int(case["heads"]))
    source_valid, target_valid = (
        np.arange(case[name].shape[1])[None] < case[f"{name}_lengths"][:, None]
        for name in ("src", "tgt")
    )
    forward = jax.jit(lambda v, *inputs: model.apply(v, *inputs, train=False))
    output = forward(variables, case["src"], case["tgt"], source_valid, target_valid)
    ours = np.where(target_valid[..., None], output, 0.0)
    assert np.abs(ours - case["output"]).max() <= 1e-4 * np.abs(case["output"]).max()
    count = sum(x.size for x in jax.tree.leaves(variables))
    assert count == case["num_params"] == sum(np.prod(s) for s in case["spec"].values())


@pytest.mark.parametrize("biases", [True, False])
def test_export_gives_the_weights_back(case, biases):
    spec = {n: s for n, s in case["spec"].items() if biases or "attn" not in n or "bias" not in n}
    state = fill.fill_state(spec)
    _, variables = load_stacks(state, num_heads=int(case["heads"]))
    exported = export_stacks(variables)
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value, err_msg=name)


def test_weights_without_biases_of_attention(case):
    spec = {n: s for n, s in case["spec"].items() if "attn" not in n or "bias" not in n}
    model, variables = load_stacks(fill.fill_state(spec), num_heads=4)
    assert not model.attention_bias
    assert "bias" not in variables["params"]["encoder"]["layer1"]["attention"]["query"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("decoder.layers.1.norm3.bias", "missing in the weights:\n  decoder.layers.1.norm3.bias"),
        ("encoder.norm.weight", "encoder.norm.weight"),
    ],
)
def test_missing_weights_are_named(case, name, words):
    state = fill.fill_state(case["spec"])
    del state[name]
    with pytest.raises(ValueError, match=words):
        load_stacks(state, num_heads=4)
