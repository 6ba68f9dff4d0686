"""GoogLeNet, Inception-v3, DenseNet, MobileNetV3, Xception and the Darknets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network import count, filled, initial, shapes, sides, step

from jaxvision import models
from jaxvision.models.backbones import (
    csp_darknet53,
    darknet,
    darknet19,
    densenet,
    googlenet,
    inception_v3,
    mobilenet_v3,
    xception,
)
from jaxvision.models.classifier_output import ClassifierOutput

FAMILIES = (
    googlenet,
    inception_v3,
    densenet,
    mobilenet_v3,
    xception,
    darknet19,
    darknet,
    csp_darknet53,
)
VARIANTS = [variant for family in FAMILIES for variant in family.VARIANTS]
WITH_AUXILIARY = ("googlenet", "googlenet_original", "inception_v3")

# Trainable parameters with 1000 classes (10 of CIFAR's), with auxiliary heads: torchvision's,
# timm's, and for the networks they lack those of the papers' tables.
PARAMETERS = {
    "googlenet": 13_004_888,
    "googlenet_original": 13_378_280,
    "inception_v3": 27_161_264,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet_bc_100_12": 769_162,
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "xception": 22_855_952,
    "darknet19": 20_842_376,
    "darknet53": 41_609_928,
    "cspdarknet53": 27_642_184,
}
WITHOUT_AUXILIARY = {
    "googlenet": 6_624_904,
    "googlenet_original": 6_998_552,
    "inception_v3": 23_834_568,
}


def image_size(variant):
    return 299 if variant == "inception_v3" else 224


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameter_count_matches_reference_and_logits_are_float32(variant):
    model = models.classifier(variant, dtype=jnp.bfloat16)
    logits, variables = shapes(model, image_size(variant))
    assert count(variables["params"]) == PARAMETERS[variant]
    num_classes = 10 if variant == "densenet_bc_100_12" else 1000
    assert logits.shape == (2, num_classes)
    assert {x.dtype for x in jax.tree.leaves((logits, variables))} == {jnp.dtype("float32")}


@pytest.mark.parametrize("variant", WITHOUT_AUXILIARY)
def test_parameter_count_without_auxiliary_heads(variant):
    model = models.classifier(variant, auxiliary=False)
    _, variables = shapes(model, 75)
    assert count(variables["params"]) == WITHOUT_AUXILIARY[variant]


def test_parameters_of_cifar_densenet_counted_layer_by_layer():
    channels, total = 24, 3 * 3 * 3 * 24
    for block in range(3):
        for _ in range(16):
            total += 2 * channels + channels * 48 + 2 * 48 + 3 * 3 * 48 * 12
            channels += 12
        if block < 2:
            total += 2 * channels + channels * (channels // 2)
            channels //= 2
    total += 2 * channels + channels * 10 + 10
    assert total == PARAMETERS["densenet_bc_100_12"]


ROUNDED_UP = {2: (23, 36), 4: (12, 18), 8: (6, 9), 16: (3, 5), 32: (2, 3)}


@pytest.mark.parametrize(
    ("variant", "size", "expected"),
    [
        ("darknet53", (45, 71), ROUNDED_UP),
        ("darknet19", (45, 71), ROUNDED_UP),
        ("cspdarknet53", (45, 71), ROUNDED_UP),
        ("mobilenet_v3_small", (45, 71), ROUNDED_UP),
        ("mobilenet_v3_large", (45, 71), ROUNDED_UP),
        ("densenet121", (45, 71), {2: (23, 36), 4: (12, 18), 8: (6, 9), 16: (3, 4), 32: (1, 2)}),
        ("densenet_bc_100_12", (32, 45), {1: (32, 45), 2: (16, 22), 4: (8, 11)}),
        ("xception", (45, 71), {2: (20, 33), 4: (10, 17), 8: (5, 9), 16: (3, 5), 32: (2, 3)}),
        ("googlenet", (45, 61), {2: (23, 31), 4: (11, 15), 8: (5, 7), 16: (2, 3), 32: (1, 2)}),
        (
            "googlenet_original",
            (45, 61),
            {2: (23, 31), 4: (11, 15), 8: (5, 7), 16: (2, 3), 32: (1, 1)},
        ),
        (
            "inception_v3",
            (75, 299),
            {2: (35, 147), 4: (15, 71), 8: (7, 35), 16: (3, 17), 32: (1, 8)},
        ),
    ],
)
def test_feature_maps_of_odd_images(variant, size, expected):
    features, _ = shapes(models.backbone(variant, dtype=jnp.bfloat16), *size)
    assert sides(features) == expected
    assert {x.dtype for x in features.values()} == {jnp.dtype("bfloat16")}


@pytest.mark.parametrize(
    ("variant", "smallest"),
    [
        ("googlenet", 15),
        ("googlenet_original", 31),
        ("inception_v3", 75),
        ("densenet121", 29),
        ("densenet_bc_100_12", 4),
        ("xception", 7),
    ],
)
def test_smallest_image_has_features_and_a_smaller_one_is_an_error(variant, smallest):
    backbone = models.backbone(variant)
    features, _ = shapes(backbone, smallest)
    assert min(min(side) for side in sides(features).values()) == 1
    with pytest.raises(ValueError, match=f"images must be at least {smallest}"):
        shapes(backbone, smallest - 1, smallest)


@pytest.mark.parametrize("variant", WITH_AUXILIARY)
def test_auxiliary_logits_are_returned_in_training_only(variant):
    model = models.classifier(variant, num_classes=7)
    output, variables = shapes(model, image_size(variant), train=True)
    assert isinstance(output, ClassifierOutput)
    assert output.logits.shape == (2, 7)
    heads = 1 if variant == "inception_v3" else 2
    assert [x.shape for x in output.auxiliary] == [(2, 7)] * heads
    logits, evaluated = shapes(model, image_size(variant))
    assert logits.shape == (2, 7)
    # The heads have their variables whichever mode initialises them.
    assert jax.tree.structure(evaluated) == jax.tree.structure(variables)
    plain, _ = shapes(models.classifier(variant, num_classes=7, auxiliary=False), 75, train=True)
    assert plain.shape == (2, 7)


@pytest.mark.parametrize(("variant", "size"), [("inception_v3", 298), ("googlenet_original", 78)])
def test_image_too_small_for_auxiliary_heads_is_an_error(variant, size):
    with pytest.raises(ValueError, match="auxiliary=False"):
        shapes(models.classifier(variant), size)
    shapes(models.classifier(variant), size + 1)


SMALL_ROWS = mobilenet_v3.VARIANTS["mobilenet_v3_small"]["rows"]


@pytest.mark.parametrize(
    ("variant", "size", "fields"),
    [
        ("googlenet", 32, {}),
        ("inception_v3", 75, dict(auxiliary=False)),
        ("densenet_bc_100_12", 16, dict(depths=(1, 2, 1))),
        ("mobilenet_v3_small", 32, dict(rows=SMALL_ROWS[:1] + SMALL_ROWS[3:5])),
        ("xception", 32, dict(middle=1)),
        ("darknet19", 32, dict(depths=(1, 3, 1, 1, 1))),
        ("darknet53", 32, dict(depths=(1, 1, 1, 1, 1))),
        ("cspdarknet53", 32, dict(depths=(1, 1, 1, 1, 1))),
    ],
)
def test_training_records_the_statistics_of_every_normalisation(variant, size, fields):
    output, new, old = step(models.classifier(variant, num_classes=3, **fields), size)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(output))
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), new, old)
    assert all(jax.tree.leaves(changed))


@pytest.mark.parametrize(
    ("variant", "size", "path", "std"),
    [
        ("googlenet", 32, "backbone/stem_conv3/conv/kernel", 0.01),
        ("googlenet_original", 79, "backbone/stem_conv3/conv/kernel", (64 * 9) ** -0.5),
        ("inception_v3", 299, "backbone/stem_conv3/conv/kernel", 0.1),
        ("inception_v3", 299, "auxiliary1/conv2/conv/kernel", 0.01),
        ("inception_v3", 299, "auxiliary1/head/kernel", 0.001),
        ("densenet121", 32, "backbone/stem/conv/kernel", (2 / (3 * 49)) ** 0.5),
        ("mobilenet_v3_small", 32, "backbone/block1/depthwise/kernel", (2 / (16 * 9)) ** 0.5),
        ("mobilenet_v3_small", 32, "head/kernel", 0.01),
        ("xception", 32, "backbone/stem_conv2/conv/kernel", (2 / (64 * 9)) ** 0.5),
        ("darknet19", 32, "backbone/stage1_conv1/conv/kernel", (2 / (32 * 9)) ** 0.5),
        ("darknet53", 32, "backbone/stage1_downsample/conv/kernel", (2 / (32 * 9)) ** 0.5),
        ("cspdarknet53", 32, "backbone/stage1/downsample/conv/kernel", (2 / (64 * 9)) ** 0.5),
    ],
)
def test_kernels_start_with_the_references_spread(variant, size, path, std):
    kernel = initial(models.classifier(variant, num_classes=3), size, path)
    np.testing.assert_allclose(kernel.std(), std, rtol=0.15)
    assert abs(kernel.mean()) < 0.2 * std


def test_biases_of_the_original_googlenet_start_at_a_fifth():
    bias = initial(models.classifier("googlenet_original"), 79, "backbone/stem_conv1/conv/bias")
    np.testing.assert_array_equal(bias, np.full(64, 0.2, np.float32))


def test_stem_of_the_original_googlenet_pools_before_and_normalises_after_its_convolutions():
    model = models.backbone("googlenet_original")
    variables = filled(shapes(model, 31)[1])
    # Large enough for the normalisation to matter.
    images = 300 * np.random.default_rng(3).standard_normal((1, 31, 31, 3), np.float32)

    @jax.jit
    def stem(variables, images):
        features, state = model.apply(
            variables,
            images,
            train=False,
            capture_intermediates=lambda m, _: "stem" in (m.name or ""),
        )
        captured = {k: v["__call__"][0] for k, v in state["intermediates"].items()}
        return features[4], captured

    def normalised(x):
        total = np.zeros_like(x)
        for c in range(x.shape[-1]):
            total[..., c] = np.square(x[..., max(0, c - 2) : c + 3]).sum(-1)
        return x / (1 + 1e-4 / 5 * total) ** 0.75

    features, captured = jax.tree.map(np.asarray, stem(variables, images))
    np.testing.assert_allclose(features, normalised(captured["stem_conv3"]), rtol=1e-4, atol=1e-4)
    assert features.max() < 0.5 * captured["stem_conv3"].max()
    first = captured["stem_conv1"]
    pooled = [
        [first[:, i : i + 3, j : j + 3].max((1, 2)) for j in range(0, 16, 2)]
        for i in range(0, 16, 2)
    ]
    pooled = np.asarray(pooled).transpose(2, 0, 1, 3)
    kernel = variables["params"]["stem_conv2"]["conv"]["kernel"][0, 0]
    expected = np.maximum(normalised(pooled) @ kernel, 0)
    np.testing.assert_allclose(captured["stem_conv2"], expected, rtol=1e-3, atol=1e-2)


def test_channels_of_mobilenets_squeezed_layers():
    # Of 16, 72, 88, 96, 120, 144, 240, 288 and 576 expanded channels, as torchvision rounds them.
    quarters = (4, 18, 22, 24, 30, 36, 60, 72, 144)
    assert [mobilenet_v3.divisible_by_8(q) for q in quarters] == [
        8,
        24,
        24,
        24,
        32,
        40,
        64,
        72,
        144,
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_variant_is_in_the_catalogue_and_an_unknown_one_is_an_error(family):
    assert set(family.VARIANTS) <= set(models.variants())
    name = family.__name__.rsplit(".", 1)[1]
    for factory in (getattr(family, name), getattr(family, f"{name}_classifier")):
        with pytest.raises(ValueError, match="variant must be one of .*got unknown"):
            factory("unknown")
