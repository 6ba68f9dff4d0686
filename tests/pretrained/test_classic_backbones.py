"""GoogLeNet, Inception-v3, DenseNet, MobileNetV3, Xception and the Darknets."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from flax import traverse_util
from network import shapes

from jaxvision import models, pretrained
from jaxvision.models.backbones.googlenet import GoogLeNetAuxiliaryHead
from jaxvision.models.backbones.inception_v3 import InceptionAuxiliaryHead
from jaxvision.pretrained import (
    darknet,
    densenet,
    googlenet,
    inception_v3,
    mobilenet_v3,
    xception,
)
from jaxvision.pretrained.families import family, source

# Each case's last layer.
CASES = {
    "googlenet": "fc",
    "inception_v3": "fc",
    "densenet121": "classifier",
    "mobilenet_v3_small": "classifier.3",
    "xception": "fc",
    "darknet53": "head.fc",
    "cspdarknet53": "head.fc",
}
FAMILIES = (googlenet, inception_v3, densenet, mobilenet_v3, xception, darknet)


def build(name, state):
    return family(name).build(name, family(name).read(name, state))


def assert_agrees(ours, theirs, bound=1e-4):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= bound * np.abs(theirs).max()


@pytest.mark.parametrize("name", quick(CASES, "googlenet", "mobilenet_v3_small"))
def test_logits_match_reference(name):
    case = fill.load_case(name)
    model, variables = pretrained.load(name, fill.fill_state(case["spec"]))
    images = fill.image_batch(tuple(case["input_shape"])).transpose(0, 2, 3, 1)
    logits = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)
    assert_agrees(logits, case["logits"])


@pytest.mark.parametrize("name", CASES)
def test_number_of_classes_is_read_off_the_weights(name):
    state = {f"{CASES[name]}.bias": np.zeros(7, np.float32)}
    assert build(name, state).num_classes == 7


@pytest.mark.parametrize(
    "name", [name for module in FAMILIES for name in module.FAMILY.names if name not in CASES]
)
def test_every_variable_has_a_reference_name_of_its_own(name):
    _, variables = shapes(models.classifier(name), 64)
    paths = ["/".join(k[1:]) for k in traverse_util.flatten_dict(variables)]
    references = [source(name).reference_name(path) for path in paths]
    assert len(set(references)) == len(paths)
    leaves = ("weight", "bias", "running_mean", "running_var")
    assert all(r.rsplit(".", 1)[1] in leaves for r in references)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_weights_without_auxiliary_heads_make_a_model_without(name):
    spec = fill.load_case(name)["spec"]
    spec = {k: v for k, v in spec.items() if not k.lower().startswith("aux")}
    model, variables = pretrained.load(name, fill.fill_state(spec))
    assert not model.auxiliary
    assert set(variables["params"]) == {"backbone", "head"}


def norm_relu(x, state, prefix):
    """Normalises NCHW maps by running statistics, with epsilon 1e-3."""
    scale = state[f"{prefix}.weight"] / np.sqrt(state[f"{prefix}.running_var"] + 1e-3)
    shift = state[f"{prefix}.bias"] - state[f"{prefix}.running_mean"] * scale
    return np.maximum(x * scale[None, :, None, None] + shift[None, :, None, None], 0)


def head_of(variables, name):
    return {collection: tree[name] for collection, tree in variables.items()}


def test_auxiliary_heads_of_googlenet_match_a_computation_in_the_references_layout():
    state = fill.fill_state(fill.load_case("googlenet")["spec"])
    _, variables = pretrained.load("googlenet", state)
    for i, channels in ((1, 512), (2, 528)):
        x = fill.image_batch((2, channels, 8, 8))
        y = x.reshape(2, channels, 4, 2, 4, 2).mean((3, 5))
        y = np.einsum("oc,bchw->bohw", state[f"aux{i}.conv.conv.weight"][:, :, 0, 0], y)
        y = norm_relu(y, state, f"aux{i}.conv.bn").reshape(2, -1)
        y = np.maximum(y @ state[f"aux{i}.fc1.weight"].T + state[f"aux{i}.fc1.bias"][None], 0)
        expected = y @ state[f"aux{i}.fc2.weight"].T + state[f"aux{i}.fc2.bias"][None]
        head = GoogLeNetAuxiliaryHead(1000)
        inputs = jnp.asarray(x.transpose(0, 2, 3, 1))
        assert_agrees(
            head.apply(head_of(variables, f"auxiliary{i}"), inputs, train=False), expected
        )


def test_auxiliary_head_of_inception_matches_a_computation_in_the_references_layout():
    state = fill.fill_state(fill.load_case("inception_v3")["spec"])
    _, variables = pretrained.load("inception_v3", state)
    x = fill.image_batch((1, 768, 17, 17))
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (2, 3))[:, :, ::3, ::3]
    y = np.einsum(
        "oc,bchw->bohw", state["AuxLogits.conv0.conv.weight"][:, :, 0, 0], windows.mean((4, 5))
    )
    y = norm_relu(y, state, "AuxLogits.conv0.bn")
    y = np.einsum("ochw,bchw->bo", state["AuxLogits.conv1.conv.weight"], y)[:, :, None, None]
    y = norm_relu(y, state, "AuxLogits.conv1.bn")[:, :, 0, 0]
    expected = y @ state["AuxLogits.fc.weight"].T + state["AuxLogits.fc.bias"][None]
    ours = InceptionAuxiliaryHead(1000).apply(
        head_of(variables, "auxiliary1"), jnp.asarray(x.transpose(0, 2, 3, 1)), train=False
    )
    assert_agrees(ours, expected)


def test_densenet_reads_the_names_of_torchvisions_published_files():
    spec = fill.load_case("densenet121")["spec"]
    state = fill.fill_state(spec)
    old = {}
    for key, value in state.items():
        for part in ("norm", "conv"):
            if "denselayer" in key:
                key = key.replace(f".{part}1.", f".{part}.1.").replace(f".{part}2.", f".{part}.2.")
        old[key] = value
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    _, variables = pretrained.load("densenet121", old)
    norm = variables["params"]["backbone"]["block1_layer1"]["spatial"]["norm"]
    expected = state["features.denseblock1.denselayer1.norm2.bias"]
    np.testing.assert_array_equal(norm["bias"], expected)


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        ("backbone/stem/norm/var", "features.0.1.running_var"),
        # The first block of the large network neither expands nor squeezes.
        ("backbone/block1/depthwise/kernel", "features.1.block.0.0.weight"),
        ("backbone/block1/project/norm/scale", "features.1.block.1.1.weight"),
        ("backbone/block4/depthwise_norm/bias", "features.4.block.1.1.bias"),
        ("backbone/block4/se/reduce/kernel", "features.4.block.2.fc1.weight"),
        ("backbone/block4/se/expand/bias", "features.4.block.2.fc2.bias"),
        ("backbone/block7/project/conv/kernel", "features.7.block.2.0.weight"),
        ("backbone/expand/conv/kernel", "features.16.0.weight"),
        ("hidden/kernel", "classifier.0.weight"),
    ],
)
def test_names_of_the_large_mobilenet(path, reference):
    assert source("mobilenet_v3_large").reference_name(path) == reference


def test_slope_of_leaky_relu_belongs_to_the_weights():
    def slope(act):
        return -float(act(jnp.float32(-1.0)))

    assert slope(models.backbone("darknet53").conv.keywords["act"]) == pytest.approx(0.1)
    assert slope(models.backbone("cspdarknet53").act) == pytest.approx(0.1)
    timm = build("darknet53", {}).backbone
    assert slope(timm.conv.keywords["act"]) == pytest.approx(0.01)
    assert slope(build("cspdarknet53", {}).backbone.act) == pytest.approx(0.01)
