"""The references' pictures and logits, through the importer of weights."""

import pathlib

import fill
import jax
import numpy as np
import pytest
from cases import quick
from reference import FORWARD, assert_agrees, count, state_of

from jaxvision import pretrained
from jaxvision.losses.perceptual import Perceptual

SHARED = pathlib.Path(__file__).parents[3] / "shared" / "parity"
# What a case calls the result.
RESULTS = {
    "srcnn_915": "same_output",
    "srcnn_955": "same_output",
    "srresnet_x4": "output_before_clamp",
    "rrdbnet_small": "output",
    "zssr": "output",
    "srgan_discriminator": "logits",
}


def channels_last(x):
    return np.asarray(x).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    "name", quick(RESULTS, "srcnn_915", "srresnet_x4", "rrdbnet_small", "srgan_discriminator")
)
def test_results_match_reference(name):
    case = fill.load_case(name)
    state = state_of(case)
    model, variables = pretrained.load(name, state)
    assert count(variables["params"]) == case["num_params"]
    run = jax.jit(lambda v, x: model.apply(v, x, train=False))
    found = run(variables, channels_last(case["inputs"]))
    theirs = case[RESULTS[name]]
    theirs = theirs[:, 0] if theirs.ndim == 2 else channels_last(theirs)
    assert_agrees(found, theirs, FORWARD)
    exported = pretrained.export(name, variables)
    assert exported.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(exported[key], value)


@pytest.mark.parametrize("name", ["srcnn_915", "srcnn_955"])
def test_srcnn_without_padding_matches_reference(name):
    case = fill.load_case(name)
    model, variables = pretrained.load(name, state_of(case), padding="VALID")
    found = model.apply(variables, channels_last(case["inputs"]), train=False)
    assert_agrees(found, channels_last(case["valid_output"]), FORWARD)


@pytest.mark.slow
def test_features_of_vgg19_match_reference():
    # Only of the folder of all cases: this one is too large for the project.
    if not (SHARED / "vgg19_features.npz").is_file():
        pytest.skip("the features of VGG19 are not beside the project")
    case = fill.load_case("vgg19_features", SHARED)
    _, variables = pretrained.load("vgg19", state_of(case))
    images = channels_last(case["inputs"])
    for layer, activated, name in (
        ("conv5_4", False, "conv5_4"),
        ("conv5_4", True, "conv5_4_relu"),
        ("conv2_2", True, "conv2_2_relu"),
    ):
        rule = Perceptual(layer, activated)
        kept = {part: variables["params"]["backbone"][part] for part in rule.layers()}
        found = rule.features({"params": kept}, images)
        assert_agrees(found, channels_last(case[name]), FORWARD)
