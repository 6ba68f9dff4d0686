import functools

import jax
import jax.numpy as jnp
import network
import numpy as np
import pytest
from cases import quick
from compiled import init
from flax import linen as nn
from flax import traverse_util

from jaxvision import models
from jaxvision.layers.ghost import GhostModule
from jaxvision.models.detection.yolox import VARIANTS

# Trainable parameters with 80 and with 20 classes, counted in the authors' models.
PARAMETERS = {
    "yolox_nano": (912_159, 900_459),
    "yolox_tiny": (5_055_855, 5_038_395),
    "yolox_s": (8_968_255, 8_945_035),
    "yolox_m": (25_326_495, 25_291_755),
    "yolox_l": (54_208_895, 54_162_635),
    "yolox_x": (99_071_455, 99_013_675),
    "yolox_darknet53": (63_724_767, 63_678_507),
}
BACKBONE = {
    "yolox_nano": 459_968,
    "yolox_tiny": 2_372_304,
    "yolox_s": 4_212_672,
    "yolox_m": 12_352_992,
    "yolox_l": 27_075_968,
    "yolox_x": 50_301_600,
    "yolox_darknet53": 52_651_744,
}


def shapes(variant, num_classes, side=64, height=None):
    model = models.yolox(variant, num_classes=num_classes)
    images = jnp.zeros((1, height or side, side, 3))
    return jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameter_count_matches_reference(variant):
    params = shapes(variant, 80)["params"]
    assert count(params) == PARAMETERS[variant][0]
    assert count(params["backbone"]) == BACKBONE[variant]


@pytest.mark.parametrize("variant", quick(VARIANTS, "yolox_nano"))
def test_parameter_count_with_other_classes_matches_reference(variant):
    assert count(shapes(variant, 20)["params"]) == PARAMETERS[variant][1]


def test_variant_is_known_with_and_without_its_family():
    assert models.yolox("s", num_classes=3) == models.yolox("yolox_s", num_classes=3)
    with pytest.raises(ValueError, match="variant must be one of yolox_nano.*got yolox_q"):
        models.yolox("yolox_q", num_classes=3)


def test_keywords_replace_fields():
    assert models.yolox("yolox_s", num_classes=3, width=0.25).width == 0.25


@pytest.mark.parametrize("variant", quick(VARIANTS, "yolox_nano", "yolox_darknet53"))
def test_predicts_one_anchor_a_cell_in_float32_whatever_it_computes_in(variant):
    model = models.yolox(variant, num_classes=5, dtype=jnp.bfloat16)
    images = jnp.zeros((2, 64, 96, 3), jnp.uint8)
    output, variables = jax.eval_shape(
        lambda: model.init_with_output(jax.random.key(0), images, train=False)
    )
    anchors = 8 * 12 + 4 * 6 + 2 * 3
    assert output.box_regression.shape == (2, anchors, 4)
    assert output.objectness.shape == (2, anchors)
    assert output.class_logits.shape == (2, anchors, 5)
    assert {x.dtype for x in jax.tree.leaves((output, variables))} == {jnp.dtype("float32")}


def test_number_of_anchors_at_640():
    model = models.yolox("yolox_nano", num_classes=1)
    output, _ = jax.eval_shape(
        lambda: model.init_with_output(jax.random.key(0), jnp.zeros((1, 640, 640, 3)), train=False)
    )
    assert output.objectness.shape == (1, 8400)


@pytest.mark.parametrize("size", [(48, 64), (64, 100)])
def test_image_size_must_be_a_multiple_of_32(size):
    model = models.yolox("yolox_nano", num_classes=1)
    wrong = next(s for s in size if s % 32)
    with pytest.raises(ValueError, match=f"multiple of 32, got {wrong}"):
        model.init(jax.random.key(0), jnp.zeros((1, *size, 3)), train=False)


@pytest.fixture(scope="module")
def initial():
    """The parameters of the head, and the kernels of some layers below it."""
    model = models.yolox("yolox_s", num_classes=80)
    below = ("backbone/stage2_csp/main", "backbone/stage5_spp/expand", "neck/lateral5")
    names = ["/".join(k) for k in traverse_util.flatten_dict(shapes("yolox_s", 80)["params"])]
    return network.initial(model, 64, [n for n in names if n.startswith(("head", *below))])


def test_scores_start_at_one_percent(initial):
    for level in ("stride8", "stride16", "stride32"):
        for branch in ("objectness", "class"):
            bias = initial[f"head/{level}_{branch}/bias"]
            np.testing.assert_allclose(bias, -4.59512, rtol=1e-5)


def test_kernels_start_uniform_within_one_over_root_of_fan_in(initial):
    # PyTorch's default, which the authors do not change: kaiming_uniform with a = sqrt(5).
    for name, kernel in initial.items():
        if not name.endswith("kernel"):
            continue
        bound = 1 / np.sqrt(np.prod(kernel.shape[:3]))
        assert np.abs(kernel).max() <= bound, name
        assert np.abs(kernel).max() > 0.9 * bound, name
        if kernel.size > 1000:
            np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.1, err_msg=name)


def test_box_biases_start_uniform_within_one_over_root_of_fan_in(initial):
    biases = np.concatenate([initial[f"head/stride{s}_box/bias"] for s in (8, 16, 32)])
    assert np.abs(biases).max() <= 1 / np.sqrt(128)
    assert len(np.unique(biases)) == 12


def test_every_variant_is_in_the_catalogue():
    assert set(VARIANTS) <= set(models.variants())


def test_any_backbone_goes_under_the_pyramid():
    backbone = models.backbone("resnet18")
    model = models.yolox("s", num_classes=3, backbone=backbone)
    images = jnp.zeros((1, 64, 96, 3))
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    own = jax.eval_shape(lambda: backbone.init(jax.random.key(0), images, train=False))
    assert variables["params"]["backbone"] == own["params"]
    # Its channels go through the pyramid.
    assert variables["params"]["neck"]["lateral5"]["conv"]["kernel"].shape == (1, 1, 512, 256)
    output = jax.eval_shape(lambda v: model.apply(v, images, train=False), variables)
    assert output.class_logits.shape == (1, 8 * 12 + 4 * 6 + 2 * 3, 3)


def test_another_backbone_gets_the_images_that_it_wants():
    build = functools.partial(
        models.yolox, "nano", num_classes=1, image_mean=(1, 2, 3), image_std=(2, 4, 5)
    )
    seen = network.images_of_backbone(build, jnp.full((1, 32, 32, 3), 8, jnp.uint8))
    np.testing.assert_allclose(seen[0, 5, 5], [3.5, 1.5, 1.0])


def test_backbone_without_the_strides_of_the_pyramid():
    class Coarse(nn.Module):
        @nn.compact
        def __call__(self, images, *, train):
            return {4: images, 8: images}

    model = models.yolox("nano", num_classes=1, backbone=Coarse())
    with pytest.raises(ValueError, match=r"strides \(8, 16, 32\), got \(4, 8\)"):
        jax.eval_shape(
            lambda: model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False)
        )


# By hand, for nano: 64 channels on all maps, from 64, 128 and 256 of the backbone.
def ghost_bottleneck(inputs, width):
    """Two modules of 1 x 1 and 3 x 3 filters, a shortcut of 5 x 5 and 1 x 1; norms of two each."""
    half = width // 2
    first = inputs * half + 9 * half + 2 * width
    second = width * half + 9 * half + 2 * width
    return first + second + 25 * inputs + 2 * inputs + inputs * width + 2 * width


def test_parameter_count_of_ghost_pan_by_hand():
    model = models.yolox("nano", num_classes=80, pyramid="ghost_pan")
    images = jnp.zeros((1, 64, 64, 3))
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    laterals = sum(c * 64 + 128 for c in (64, 128, 256))
    downsample = 25 * 64 + 128 + 64 * 64 + 128
    expected = laterals + 4 * ghost_bottleneck(128, 64) + 2 * downsample
    assert count(variables["params"]["neck"]) == expected == 115_968
    # The stems of the head see 64 channels in place of 64, 128 and 256.
    plain = shapes("yolox_nano", 80)["params"]
    saved = count(plain["neck"]) - expected + (64 + 192) * 64
    assert count(variables["params"]) == PARAMETERS["yolox_nano"][0] - saved


def test_ghost_modules_by_hand():
    """One filter that copies and one that shifts: the second half is the first, filtered."""
    module = GhostModule(5, act=None, norm=Identity)
    x = jax.random.normal(jax.random.key(0), (1, 4, 4, 2))
    variables = init(module, jax.random.key(1), x, train=False)
    ours = np.asarray(module.apply(variables, x, train=False))
    kernels = variables["params"]
    own = x @ kernels["primary"]["conv"]["kernel"][0, 0]
    padded = np.pad(own, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = np.asarray(kernels["cheap"]["depthwise"]["kernel"])[:, :, 0]
    ghosts = sum(padded[:, i : i + 4, j : j + 4] * taps[i, j] for i in range(3) for j in range(3))
    np.testing.assert_allclose(ours, np.concatenate([own, ghosts[..., :2]], -1), atol=1e-5)


class Identity(nn.Module):
    """In place of a normalisation."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x, *, train):
        return x


def test_there_must_be_such_a_pyramid():
    model = models.yolox("nano", num_classes=3, pyramid="fpn")
    with pytest.raises(ValueError, match="pyramid must be ghost_pan or empty, got fpn"):
        jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=True))
