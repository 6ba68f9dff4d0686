"""What a file of weights may hold besides the right names and shapes, for all families at once."""

import contextlib
import functools
from unittest import mock

import jax
import ml_dtypes
import numpy as np
import pytest

from jaxvision import pretrained
from jaxvision.pretrained.families import FAMILIES
from jaxvision.pretrained.family import Weights
from jaxvision.pretrained.variables import to_variables

RESNET = pretrained.families.family("resnet18")
BIAS, VARIANCE = "conv1.weight", "bn1.running_var"


@pytest.fixture(scope="module")
def template():
    source = RESNET.sources("resnet18")[0]
    return RESNET.shapes(RESNET.build("resnet18", Weights(source, {})))


@pytest.fixture(scope="module")
def state(template):
    return pretrained.export(
        "resnet18", jax.tree.map(lambda x: np.ones(x.shape, x.dtype), template)
    )


def fill(template, state):
    return to_variables(template, RESNET.read("resnet18", state))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_floating_point_numbers_become_float32(template, state, dtype):
    state = pretrained.read.read_state(state | {BIAS: state[BIAS].astype(dtype)})
    variables = fill(template, state)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype", ["i1", "i8", "u1", "?", "c8", "U3", "S3", "M8[D]", "m8[s]", "V4"])
def test_other_values_are_refused(template, state, dtype):
    state = state | {BIAS: np.zeros(state[BIAS].shape, dtype)}
    with pytest.raises(ValueError, match=rf"not of float32.*\n  {BIAS}: "):
        fill(template, state)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_refused(template, state, value):
    changed = state[BIAS].astype(np.float64)
    changed.flat[-1] = value
    with pytest.raises(ValueError, match=rf"NaN or infinite, also as float32:\n  {BIAS}$"):
        fill(template, state | {BIAS: changed})


def test_negative_variances_are_refused(template, state):
    with pytest.raises(ValueError, match=rf"negative variances:\n  {VARIANCE}$"):
        fill(template, state | {VARIANCE: -state[VARIANCE]})


def bias_of(family):
    """Names the bias whose length a family asks for; None for one that needs none."""
    asked = []

    def size(self, path, default):
        asked.append(self.source.reference_name(path))
        raise LookupError

    name = next(iter(family.names))
    with mock.patch.object(Weights, "size", size), contextlib.suppress(ValueError):
        pretrained.load(name, {})
    return asked[0] if asked else None


@functools.cache
def biases():
    """Names of models, one a family, and the bias that each asks for."""
    found = {next(iter(family.names)): bias_of(family) for family in FAMILIES}
    return {name: bias for name, bias in found.items() if bias}


@pytest.mark.parametrize("value", [np.float32(1), np.zeros(0, np.float32), np.zeros((1, 1, 1))])
def test_a_bias_of_other_axes_is_named(value):
    assert len(biases()) > len(FAMILIES) / 2
    for name, bias in biases().items():
        with pytest.raises(ValueError, match=f"{bias} must have 1 axes, none of them empty, got"):
            pretrained.load(name, {bias: value})


@pytest.mark.parametrize("shape", [(), (5,), (1, 0, 192), (1, 1, 192), (2, 197), (1, 7, 192)])
def test_positions_of_other_axes_are_an_error(shape):
    state = {"pos_embed": np.zeros(shape, np.float32), "cls_token": np.zeros((1, 1, 192))}
    with pytest.raises(ValueError, match=r"pos_embed must have 3 axes|for a square of patches"):
        pretrained.load("vit_ti_16", state)


def test_tensors_that_cannot_be_taken_apart_are_an_error():
    name = "Transformer/encoderblock_0/MultiHeadDotProductAttention_0"
    state = {"embedding/kernel": np.float32(0)}
    state |= {f"{name}/{part}/kernel": np.float32(0) for part in ("query", "key", "value", "out")}
    with pytest.raises(ValueError, match="not those of vit_ti_16|weights"):
        pretrained.load("vit_ti_16", state)
