"""Weights of torchvision's video networks and C3D."""

import fill
import jax
import numpy as np
import pytest
from reference import FORWARD, assert_agrees

from jaxvision import models, pretrained
from jaxvision.pretrained.families import source


def clips_of(case):
    shape = tuple(case["input_shape"])
    return fill.image_batch(shape, int(case["input_seed"])).transpose(0, 2, 3, 4, 1)


@pytest.mark.slow
def test_logits_of_r3d_match_reference():
    case = fill.load_case("r3d_18")
    state = fill.fill_state(case["spec"])
    model, variables = pretrained.load("r3d_18", state)
    logits = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, clips_of(case))
    assert_agrees(logits, case["logits"], FORWARD)
    exported = pretrained.export("r3d_18", variables)
    assert exported.keys() == state.keys()
    assert all(np.array_equal(exported[name], state[name]) for name in state)


@pytest.mark.slow
def test_c3d_matches_reference():
    case = fill.load_case("c3d")
    state = fill.fill_state(case["spec"])
    model, variables = pretrained.load("c3d", state)

    @jax.jit
    def forward(variables, clips):
        keep = lambda module, _: module.name in ("fc7", "backbone")  # noqa: E731
        return model.apply(
            variables,
            clips,
            train=False,
            capture_intermediates=keep,
            mutable=["intermediates"],
        )

    logits, kept = forward(variables, clips_of(case))
    inner = kept["intermediates"]
    (features,), (hidden,) = inner["backbone"]["__call__"], inner["fc7"]["__call__"]
    assert_agrees(features[32].transpose(0, 4, 1, 2, 3), case["pool5"], FORWARD)
    assert_agrees(np.maximum(hidden, 0), case["fc7"], FORWARD)
    assert_agrees(logits, case["logits"], FORWARD)
    exported = pretrained.export("c3d", variables)
    assert all(np.array_equal(exported[name], state[name]) for name in state)


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        ("backbone/stem/spatial/conv/kernel", "stem.0.weight"),
        ("backbone/stem/temporal/norm/mean", "stem.4.running_mean"),
        ("backbone/stage1_block2/unit1/spatial/conv/kernel", "layer1.1.conv1.0.0.weight"),
        ("backbone/stage2_block1/unit2/spatial/norm/scale", "layer2.0.conv2.0.1.weight"),
        ("backbone/stage3_block1/unit1/temporal/conv/kernel", "layer3.0.conv1.0.3.weight"),
        ("backbone/stage4_block1/unit1/temporal/norm/var", "layer4.0.conv1.1.running_var"),
        ("backbone/stage4_block1/shortcut/norm/bias", "layer4.0.downsample.1.bias"),
        ("head/bias", "fc.bias"),
    ],
)
def test_names_of_r2plus1d(path, reference):
    assert source("r2plus1d_18").reference_name(path) == reference


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["mc3_18", "r2plus1d_18"])
def test_export_is_read_back_to_the_same_bits(variant):
    model = models.classifier(variant, num_classes=7)
    variables = jax.jit(
        lambda: model.init(jax.random.key(0), np.zeros((1, 2, 16, 16, 3)), train=False)
    )()
    loaded, again = pretrained.load(variant, pretrained.export(variant, variables))
    assert loaded == model
    jax.tree.map(np.testing.assert_array_equal, dict(variables), again)
