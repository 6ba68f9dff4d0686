"""What is read is written back to the same bits, for every source of every family."""

import fill
import jax
import numpy as np
import pytest
from cases import quick
from flax import traverse_util
from vit_sources import as_big_vision, as_torchvision

from jaxvision import models, pretrained
from jaxvision.layers.batch_norm import FrozenBatchNorm
from jaxvision.models.backbones.swin import relative_position_index
from jaxvision.pretrained.families import FAMILIES, family, source
from jaxvision.pretrained.family import Weights
from jaxvision.pretrained.variables import flat

CLASSIFIERS = [name for row in models._FAMILIES for name in row.variants]
# Names and shapes that a reference itself gave, its variant and its source.
CASES = {
    "alexnet": ("alexnet", "torchvision"),
    "vgg11_bn": ("vgg11_bn", "torchvision"),
    "googlenet": ("googlenet", "torchvision"),
    "inception_v3": ("inception_v3", "torchvision"),
    "resnet18": ("resnet18", "torchvision"),
    "resnext50_32x4d": ("resnext50_32x4d", "torchvision"),
    "seresnet50": ("seresnet50", "timm_legacy"),
    "densenet121": ("densenet121", "torchvision"),
    "mobilenet_v3_small": ("mobilenet_v3_small", "torchvision"),
    "xception": ("xception", "timm"),
    "darknet53": ("darknet53", "timm"),
    "cspdarknet53": ("cspdarknet53", "timm"),
    "vit_b_16": ("vit_b_16", "torchvision"),
    "vit_tiny_patch16_224": ("vit_ti_16", "timm"),
    "swin_t": ("swin_t", "torchvision"),
    "yolox_nano": ("yolox_nano", "authors"),
}


def numbered(shapes):
    """Fills shapes with numbers that are nowhere the same, so that no two may be exchanged."""
    filled, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        filled[name] = np.arange(start, start + size, dtype=np.int32).view(np.float32)
        filled[name] = filled[name].reshape(shape)
        start += size
    return filled


def reference_state(case):
    spec = fill.load_case(case)["spec"]
    counters = {name for name in spec if name.endswith("num_batches_tracked")}
    state = numbered({name: shape for name, shape in spec.items() if name not in counters})
    return state | {name: np.zeros((), np.int64) for name in counters}


def assert_same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert (ours[name].dtype, ours[name].shape) == (value.dtype, value.shape), name
        assert ours[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize(
    "case",
    quick(CASES, "resnet18", "seresnet50", "googlenet", "vit_tiny_patch16_224", "yolox_nano"),
)
def test_export_gives_the_reference_its_own_weights_back(case):
    name, label = CASES[case]
    state = reference_state(case)
    _, variables = pretrained.load(name, state)
    exported = pretrained.export(name, variables, source=label)
    if name == "swin_t":
        tables = [key for key in exported if key.endswith("relative_position_index")]
        assert len(tables) == 12
        index = relative_position_index(7).ravel()
        assert all((exported.pop(key) == index).all() for key in tables)
    assert_same_bits(exported, state)


def classifier_or_detector(name):
    if name in CLASSIFIERS:
        return models.classifier(name, num_classes=3)
    return family(name).build(name, Weights(source(name), {}))


# Families whose smallest network has too many parameters to be quick.
LARGE = (
    "vgg11",
    "swin_t",
    "densenet121",
    "googlenet",
    "inception_v3",
    "xception",
    "retinanet_resnet50_fpn",
    "faster_rcnn_resnet50_fpn",
    "ssd300_vgg16",
    "yolov1",
    "deconvnet",
    "fcn32s",
)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        pytest.param(name, reference.label, marks=[pytest.mark.slow] if name in LARGE else [])
        for row in FAMILIES
        for name in list(row.names)[:1]
        for reference in row.sources(name)
    ],
)
def test_load_gives_exported_variables_back(name, label):
    channels = family(name).channels(Weights(source(name), {}))
    template = flat(family(name).shapes(classifier_or_detector(name), channels))
    leaves = numbered({"/".join(key): leaf.shape for key, leaf in template.items()})
    if label == "big_vision":
        # Its class token has no position.
        leaves["params/backbone/position_embedding"][:, 0] = 0
    variables = traverse_util.unflatten_dict(leaves, sep="/")
    state = pretrained.export(name, variables, source=label)
    assert {value.dtype for value in state.values()} <= {np.dtype(t) for t in ("f4", "i8")}
    assert all(value.flags.c_contiguous for value in state.values())
    _, again = pretrained.load(name, state)
    assert_same_bits(
        {"/".join(key): leaf for key, leaf in flat(again).items()},
        leaves,
    )


@pytest.fixture(scope="module")
def vit_ti():
    return reference_state("vit_tiny_patch16_224")


@pytest.mark.parametrize("old", [False, True])
def test_torchvisions_names_of_vit_are_written_as_they_were_read(vit_ti, old):
    state = as_torchvision(vit_ti, old)
    _, variables = pretrained.load("vit_ti_16", state)
    label = "torchvision_2022" if old else "torchvision"
    assert_same_bits(pretrained.export("vit_ti_16", variables, source=label), state)


@pytest.mark.parametrize("paper", [False, True])
def test_googles_names_of_vit_are_written_as_they_were_read(vit_ti, paper):
    state = as_big_vision(vit_ti, paper=paper)
    if not paper:
        state["pos_embedding"] = state["pos_embedding"][:, 1:]
    _, variables = pretrained.load("vit_ti_16", state)
    label = "vision_transformer" if paper else "big_vision"
    exported = pretrained.export("vit_ti_16", variables, source=label)
    assert_same_bits(exported, {name: np.ascontiguousarray(v) for name, v in state.items()})


def test_big_vision_case_is_written_as_it_was_read_without_its_prefix():
    state = reference_state("vit_ti_16_big_vision")
    _, variables = pretrained.load("vit_ti_16", state)
    exported = pretrained.export("vit_ti_16", variables, source="big_vision")
    assert_same_bits({f"params/{name}": value for name, value in exported.items()}, state)


def test_position_of_a_class_token_that_big_vision_cannot_hold_is_an_error(vit_ti):
    _, variables = pretrained.load("vit_ti_16", vit_ti)
    with pytest.raises(ValueError, match='source="vision_transformer"'):
        pretrained.export("vit_ti_16", variables, source="big_vision")


def test_authors_of_swin_get_their_tables_and_masks():
    _, variables = pretrained.load("swin_t", reference_state("swin_t"))
    state = pretrained.export("swin_t", variables, source="authors")
    index = state["layers.2.blocks.3.attn.relative_position_index"]
    # By hand: the last pixel sees the first six rows and columns away, the first itself at none.
    assert (index.shape, index[48, 0], index[0, 48], index[0, 0]) == ((49, 49), 168, 0, 84)
    masks = {name: value for name, value in state.items() if name.endswith("attn_mask")}
    assert {name: value.shape for name, value in masks.items()} == {
        "layers.0.blocks.1.attn_mask": (64, 49, 49),
        "layers.1.blocks.1.attn_mask": (16, 49, 49),
        "layers.2.blocks.1.attn_mask": (4, 49, 49),
        "layers.2.blocks.3.attn_mask": (4, 49, 49),
        "layers.2.blocks.5.attn_mask": (4, 49, 49),
    }
    mask = masks["layers.2.blocks.1.attn_mask"]
    assert mask.dtype == np.float32
    assert not mask[0].any()
    # The last window has rows and columns from both ends: 4 + 3 of each.
    assert (mask[3] == 0).sum() == (4 * 4) ** 2 + 2 * (4 * 3) ** 2 + (3 * 3) ** 2
    assert set(np.unique(mask)) == {-100, 0}


def test_frozen_statistics_are_written_without_counters():
    state = reference_state("resnet18")
    _, variables = pretrained.load("resnet18", state, norm=FrozenBatchNorm)
    assert variables["params"].keys() == {"backbone", "head"}
    assert "norm" not in variables["params"]["backbone"]["stem"]
    expected = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    assert_same_bits(pretrained.export("resnet18", variables), expected)


def test_variables_of_another_model_are_an_error_that_lists_both_sides():
    _, variables = pretrained.load("resnet18", reference_state("resnet18"))
    with pytest.raises(ValueError, match="not those of resnet34\nmissing:\n") as error:
        pretrained.export("resnet34", variables)
    assert "backbone/stage2_block3/spatial1/conv/kernel" in str(error.value)
    variables["params"]["extra"] = {"kernel": np.zeros((2, 2), np.float32)}
    variables["params"]["head"]["kernel"] = np.zeros((3, 1000), np.float32)
    with pytest.raises(ValueError) as error:
        pretrained.export("resnet18", variables)
    assert "not in resnet18:\n  extra/kernel" in str(error.value)
    assert "head/kernel: expected (512, 1000), got (3, 1000)" in str(error.value)


def test_unknown_source_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="seresnet50 must be one of timm_legacy, timm, got torch"):
        source("seresnet50", "torch")


def test_arrays_on_a_device_are_written():
    _, variables = pretrained.load("resnet18", reference_state("resnet18"))
    on_device = jax.tree.map(jax.numpy.asarray, variables)
    assert_same_bits(pretrained.export("resnet18", on_device), reference_state("resnet18"))
