"""GoogLeNet, Inception-v3, DenseNet, MobileNetV3, Xception and the Darknets."""

import jax
import numpy as np
import pytest
from cases import quick
from network import count, filled, initial, shapes, sides, step

from jaxvision import models
from jaxvision.models.backbones import mobilenet_v3
from jaxvision.models.classifier_output import ClassifierOutput

# Trainable parameters that the networks have in evaluation.
WITHOUT_AUXILIARY = {
    "googlenet": 6_624_904,
    "googlenet_original": 6_998_552,
    "inception_v3": 23_834_568,
}


def image_size(variant):
    return 299 if variant == "inception_v3" else 224


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
    assert total == 769_162
    _, variables = shapes(models.classifier("densenet_bc_100_12"), 32)
    assert count(variables["params"]) == total


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


@pytest.mark.parametrize("variant", quick(WITHOUT_AUXILIARY, "googlenet"))
def test_auxiliary_heads_are_there_in_training_only(variant):
    size = 299 if variant == "inception_v3" else 224
    model = models.classifier(variant)
    output, variables = shapes(model, size, train=True)
    assert isinstance(output, ClassifierOutput)
    assert output.logits.shape == (2, 1000)
    heads = 1 if variant == "inception_v3" else 2
    assert [x.shape for x in output.auxiliary] == [(2, 1000)] * heads
    logits, evaluated = shapes(model, size)
    assert logits.shape == (2, 1000)
    # The heads have their variables whichever mode initialises them.
    assert jax.tree.structure(evaluated) == jax.tree.structure(variables)
    plain, variables = shapes(models.classifier(variant, auxiliary=False), 75, train=True)
    assert plain.shape == (2, 1000)
    assert count(variables["params"]) == WITHOUT_AUXILIARY[variant]


@pytest.mark.parametrize(("variant", "size"), [("inception_v3", 298), ("googlenet_original", 78)])
def test_image_too_small_for_auxiliary_heads_is_an_error(variant, size):
    with pytest.raises(ValueError, match="auxiliary=False"):
        shapes(models.classifier(variant), size)


SMALL_ROWS = mobilenet_v3.VARIANTS["mobilenet_v3_small"]["rows"]


@pytest.mark.parametrize(
    ("variant", "size", "fields"),
    [
        pytest.param("googlenet", 32, {}, marks=pytest.mark.slow),
        pytest.param("inception_v3", 75, dict(auxiliary=False), marks=pytest.mark.slow),
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
    ("variant", "size", "spreads"),
    [
        ("googlenet", 32, {"backbone/stem_conv3/conv/kernel": 0.01}),
        ("googlenet_original", 79, {"backbone/stem_conv3/conv/kernel": (64 * 9) ** -0.5}),
        (
            "inception_v3",
            299,
            {
                "backbone/stem_conv3/conv/kernel": 0.1,
                "auxiliary1/conv2/conv/kernel": 0.01,
                "auxiliary1/head/kernel": 0.001,
            },
        ),
        (
            "densenet_bc_100_12",
            32,
            {"backbone/block1_layer1/spatial/conv/kernel": (1 / 216) ** 0.5},
        ),
        (
            "mobilenet_v3_small",
            32,
            {"backbone/block1/depthwise/kernel": (2 / (16 * 9)) ** 0.5, "head/kernel": 0.01},
        ),
        ("xception", 32, {"backbone/stem_conv2/conv/kernel": (2 / (64 * 9)) ** 0.5}),
        ("darknet19", 32, {"backbone/stage1_conv1/conv/kernel": (2 / (32 * 9)) ** 0.5}),
        ("darknet53", 32, {"backbone/stage1_downsample/conv/kernel": (2 / (32 * 9)) ** 0.5}),
        ("cspdarknet53", 32, {"backbone/stage1/downsample/conv/kernel": (2 / (64 * 9)) ** 0.5}),
    ],
)
def test_kernels_start_with_the_references_spread(variant, size, spreads):
    kernels = initial(models.classifier(variant, num_classes=3), size, spreads)
    for path, std in spreads.items():
        np.testing.assert_allclose(kernels[path].std(), std, rtol=0.15, err_msg=path)
        assert abs(kernels[path].mean()) < 0.25 * std


def test_biases_of_the_original_googlenet_start_at_a_fifth():
    path = "backbone/stem_conv1/conv/bias"
    bias = initial(models.classifier("googlenet_original"), 79, [path])[path]
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
    assert features.max() < 0.9 * captured["stem_conv3"].max()
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
