import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision import models
from jaxvision.train.layer_decay import layer_groups, layer_scales
from jaxvision.train.names import name_of
from jaxvision.train.optim import optimizer


def names_of(model, side):
    images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    params = shapes["params"]
    return params, [name_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]


def exponents(model, side=64):
    """Maps each part of the network to the exponent of 0.5 in its scale."""
    params, names = names_of(model, side)
    scales = jax.tree.leaves(layer_scales(params, 0.5))
    found = {}
    for name, scale in zip(names, scales, strict=True):
        part = name.removeprefix("backbone/").partition("/")[0]
        assert found.setdefault(part, round(-np.log2(scale))) == round(-np.log2(scale))
    return found


def test_vit_decays_block_by_block_as_beit():
    found = exponents(models.classifier("vit_ti_16", image_size=32, depth=3, num_classes=2), 32)
    # BEiT: of depth + 2 layers the embeddings are the first, norm and head the last.
    assert found == {
        "patch_embedding": 4,
        "class_token": 4,
        "position_embedding": 4,
        "block1": 3,
        "block2": 2,
        "block3": 1,
        "norm": 0,
        "head": 0,
    }


def test_swin_counts_its_blocks_and_a_merge_goes_with_the_block_before():
    found = exponents(models.classifier("swin_t", num_classes=2, depths=(1, 2, 1, 1)))
    blocks = ("stage1_block1", "stage2_block1", "stage2_block2", "stage3_block1", "stage4_block1")
    assert [found[name] for name in blocks] == [5, 4, 3, 2, 1]
    assert [found[f"merge{i}"] for i in (2, 3, 4)] == [5, 3, 2]
    assert (found["patch_embedding"], found["norm"], found["head"]) == (6, 0, 0)


def test_cnn_decays_stage_by_stage_and_what_is_above_the_backbone_does_not():
    parts = ("stem", "stage2_block1", "stage2_block2", "stage3_downsample", "stage3_csp")
    names = [*(f"backbone/{part}/conv/kernel" for part in parts), "neck/fuse/kernel", "head/bias"]
    found = {pattern: scale for pattern, scale, _ in layer_groups(names, 0.5)}
    expected = (0.125, 0.25, 0.25, 0.5, 0.5)
    assert found == {f"backbone/{p}(/.*)?": x for p, x in zip(parts, expected, strict=True)}


def test_patterns_are_groups_of_an_optimizer():
    names = ["backbone/stem/kernel", "backbone/stage2_block1/kernel", "head/kernel"]
    assert layer_groups(names, 0.5) == (
        ("backbone/stem(/.*)?", 0.25, 1.0),
        ("backbone/stage2_block1(/.*)?", 0.5, 1.0),
    )


def test_step_is_scaled_on_top_of_the_groups():
    ones = {"kernel": jnp.ones(1)}
    params = {"backbone": {"stem": ones, "stage1": ones}, "head": ones}
    sgd = optimizer("sgd", 0.1, layer_decay=0.5, groups=(("backbone/stem/.*", 2.0, 1.0),))
    updates, _ = sgd.update(jax.tree.map(jnp.ones_like, params), sgd.init(params), params)
    found = {name: float(x["kernel"][0]) for name, x in updates["backbone"].items()}
    # 0.1 * 2 * 0.5^2, 0.1 * 0.5, and 0.1.
    assert found == {"stem": pytest.approx(-0.05), "stage1": pytest.approx(-0.05)}
    assert float(updates["head"]["kernel"][0]) == pytest.approx(-0.1)


def test_networks_without_an_order_and_wrong_factors_are_errors():
    with pytest.raises(ValueError, match="layer_decay needs trained parameters in backbone/"):
        layer_groups(["encoder/block1/kernel"], 0.5)
    with pytest.raises(ValueError, match=r"layer_decay must be in \(0, 1\], got 1.5"):
        layer_groups(["backbone/stem/kernel"], 1.5)
