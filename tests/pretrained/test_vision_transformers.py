"""ViT and Swin, from weights of torchvision, timm, big_vision and the authors of Swin."""

import functools
import re

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from flax import traverse_util
from network import shapes
from vit_sources import as_big_vision, as_torchvision

from jaxvision import models, pretrained
from jaxvision.ops.position_embedding import resize_position_embedding
from jaxvision.pretrained.families import family, source

# The last is of big_vision at 0127fb6: Ti/16 with pool_type="gap", posemb="sincos2d" and rep_size.
CASES = {
    "vit_b_16": "vit_b_16",
    "vit_tiny_patch16_224": "vit_ti_16",
    "swin_t": "swin_t",
    "vit_ti_16_big_vision": "vit_ti_16",
}


@pytest.mark.parametrize(
    "reference", quick(CASES, "vit_tiny_patch16_224", "swin_t", "vit_ti_16_big_vision")
)
def test_logits_match_reference(reference):
    name = CASES[reference]
    case = fill.load_case(reference)
    state = fill.fill_state(case["spec"])
    # The formula knows scales by PyTorch's names only; big_vision's were moved to about 1 as well.
    state = {key: value + np.float32(key.endswith("/scale")) for key, value in state.items()}
    model, variables = pretrained.load(name, state)
    images = fill.image_batch(tuple(case["input_shape"])).transpose(0, 2, 3, 1)
    # Without LLVM's optimisation it compiles in half of the time, and is as exact.
    options = {"xla_backend_optimization_level": 0}
    forward = jax.jit(lambda v, x: model.apply(v, x, train=False), compiler_options=options)
    logits = forward(variables, images)
    assert logits.shape == case["logits"].shape
    # Ten times what was measured, a tenth of what the others are held to.
    assert np.abs(logits - case["logits"]).max() <= 1e-5 * np.abs(case["logits"]).max()
    assert sum(x.size for x in jax.tree.leaves(variables["params"])) == case["num_params"]


@functools.cache
def timm_state():
    """ViT-Ti's weights under timm's names."""
    return fill.fill_state(fill.load_case("vit_tiny_patch16_224")["spec"])


@functools.cache
def swin_spec():
    """Swin-T's names and shapes, the shapes without memory behind them."""
    spec = fill.load_case("swin_t")["spec"]
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in spec.items()}


@functools.cache
def expected():
    return pretrained.load("vit_ti_16", timm_state())[1]


def build(name, state):
    return family(name).build(name, family(name).read(name, state))


def assert_same(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("old", [False, True])
def test_torchvisions_names_fill_the_same_variables(old):
    model, variables = pretrained.load("vit_ti_16", as_torchvision(timm_state(), old))
    assert_same(variables, expected())
    assert model.backbone.weight_init == "torchvision"
    assert model.backbone.activation == "gelu"


def test_npz_files_of_the_paper_fill_the_same_variables(tmp_path):
    file = tmp_path / "Ti_16.npz"
    np.savez(file, **as_big_vision(timm_state(), paper=True))
    model, variables = pretrained.load("vit_ti_16", file)
    assert_same(variables, expected())
    assert model.backbone == models.backbone(
        "vit_ti_16", weight_init="big_vision", activation="gelu_tanh"
    )


def test_npz_files_of_big_vision_add_positions_to_the_patches_alone():
    state = as_big_vision(timm_state(), paper=False)
    state["pos_embedding"] = state["pos_embedding"][:, 1:]
    stacked = {}
    for name in [n for n in state if "encoderblock_0/" in n]:
        parts = [state.pop(name.replace("block_0", f"block_{i}")) for i in range(12)]
        stacked[name.replace("encoderblock_0", "encoderblock")] = np.stack(parts)
    state = {f"params/{name}": value for name, value in (state | stacked).items()}
    state["opt/0/count"] = np.zeros(())
    _, variables = pretrained.load("vit_ti_16", state)
    positions = variables["params"]["backbone"].pop("position_embedding")
    rest = expected()["params"]
    backbone = rest["backbone"].copy()
    theirs = backbone.pop("position_embedding")
    assert_same(variables["params"], rest | {"backbone": backbone})
    assert not positions[:, :1].any()
    np.testing.assert_array_equal(positions[:, 1:], theirs[:, 1:])


def test_weights_say_how_the_model_pools_represents_and_counts():
    state = as_big_vision(timm_state(), paper=False)
    del state["cls"], state["pos_embedding"]
    state["head/kernel"], state["head/bias"] = np.zeros((7, 5)), np.zeros(5)
    state["pre_logits/kernel"], state["pre_logits/bias"] = np.zeros((192, 7)), np.zeros(7)
    model, variables = pretrained.load("vit_ti_16", state)
    assert (model.num_classes, model.rep_size) == (5, 7)
    assert (model.backbone.pool, model.backbone.position) == ("gap", "sincos2d")
    assert variables["params"]["pre_logits"]["kernel"].shape == (192, 7)


def test_factors_of_channels_are_read():
    factors = {
        f"blocks.{i}.ls{j}.gamma": np.full(192, 0.1, np.float32) for i in range(12) for j in (1, 2)
    }
    model, variables = pretrained.load("vit_ti_16", timm_state() | factors)
    assert model.backbone.layer_scale == pytest.approx(0.1)
    scale = variables["params"]["backbone"]["block12"]["mlp_scale"]
    np.testing.assert_array_equal(scale, factors["blocks.11.ls2.gamma"])


def test_positions_are_interpolated_to_the_image_size_that_is_asked_for():
    model, variables = pretrained.load(
        "vit_ti_16", timm_state(), image_size=(96, 384), dtype=jnp.bfloat16
    )
    assert model.backbone.image_size == (96, 384)
    assert model.backbone.dtype == jnp.bfloat16
    ours = variables["params"]["backbone"]["position_embedding"]
    theirs = jnp.asarray(timm_state()["pos_embed"])
    np.testing.assert_array_equal(ours, resize_position_embedding(theirs, (14, 14), (6, 24)))
    assert ours.shape == (1, 1 + 6 * 24, 192)
    assert ours.dtype == np.float32


def test_weights_of_another_size_make_a_model_of_that_size():
    positions = np.zeros((1, 1 + 24 * 24, 192), np.float32)
    model = build("vit_ti_16", timm_state() | {"pos_embed": positions})
    assert model.backbone.image_size == 384
    with pytest.raises(ValueError, match="a square of patches, got 575 positions"):
        build("vit_ti_16", timm_state() | {"pos_embed": positions[:, 1:]})


def test_weights_of_another_depth_are_an_error_that_names_both():
    with pytest.raises(ValueError, match="vit_l_16 has 24 blocks, the weights have 12"):
        pretrained.load("vit_l_16", timm_state())
    with pytest.raises(ValueError, match="swin_s has 24 blocks, the weights have 12"):
        pretrained.load("swin_s", swin_spec())


def test_weights_of_another_width_or_patch_are_listed():
    with pytest.raises(
        ValueError, match=r"blocks.0.attn.qkv.weight: expected \(1152, 384\), got \(576, 192\)"
    ):
        pretrained.load("vit_s_16", timm_state())


def test_fields_that_the_backbone_does_not_have_are_an_error():
    with pytest.raises(ValueError, match="fields of ViT are .*image_size.*, got size"):
        pretrained.load("vit_ti_16", timm_state(), size=384)


@pytest.mark.parametrize(
    ("variant", "options"), [("vit_s_32", dict(rep_size=3, layer_scale=0.1)), ("swin_s", {})]
)
def test_every_variable_has_a_reference_name_of_its_own(variant, options):
    _, variables = shapes(models.classifier(variant, **options), 64)
    paths = ["/".join(k[1:]) for k in traverse_util.flatten_dict(variables)]
    names = [source(variant).reference_name(path) for path in paths]
    assert len(set(names)) == len(names)
    leaves = {"weight", "bias", "gamma", "cls_token", "pos_embed", "relative_position_bias_table"}
    assert {name.rpartition(".")[2] for name in names} <= leaves
    assert not any(re.search("/|block1|stage|merge", name) for name in names)


@pytest.mark.parametrize("authors", [False, True])
def test_swin_of_timm_and_of_its_authors_is_known_by_its_names(authors):
    state = {}
    for name, value in swin_spec().items():
        number, _, rest = name.removeprefix("features.").partition(".")
        if not name.startswith("features."):
            state[name if authors else name.replace("head.", "head.fc.")] = value
        elif number == "0":
            state[f"patch_embed.{'proj' if rest[0] == '0' else 'norm'}.{rest[2:]}"] = value
        elif int(number) % 2:
            rest = rest.replace("mlp.0", "mlp.fc1").replace("mlp.3", "mlp.fc2")
            state[f"layers.{int(number) // 2}.blocks.{rest}"] = value
        else:
            # After which stage, or before which.
            stage = int(number) // 2 - authors
            state[f"layers.{stage}.downsample.{rest}"] = value
    assert ("layers.0.downsample.norm.weight" in state) == authors
    state["layers.0.blocks.1.attn.relative_position_index"] = np.zeros((49, 49))
    state["layers.0.blocks.1.attn_mask"] = np.zeros((64, 49, 49))
    assert family("swin_t").read("swin_t", state).source.label == ("authors" if authors else "timm")
    model, variables = pretrained.load("swin_t", state)
    assert model.num_classes == 1000
    # Reading is strict, so that every name is known.
    assert len(jax.tree.leaves(variables)) == len(swin_spec())


def test_tables_of_torchvisions_files_are_not_read():
    index = {"features.1.0.attn.relative_position_index": np.zeros(2401, np.int64)}
    _, variables = pretrained.load("swin_t", swin_spec() | index)
    assert len(jax.tree.leaves(variables)) == len(swin_spec())
