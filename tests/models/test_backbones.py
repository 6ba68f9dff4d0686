"""What all backbones and classifiers of the catalogue have in common, by table."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from flax import errors

from jaxvision import models
from jaxvision.models.backbones.resnet import ResidualBlock
from jaxvision.models.backbones.resnet_cifar import CIFARBlock

# Networks of clips are tested in test_video.
CLIPS = {"c3d", "ji_3d_cnn", "r3d_18"}
FAMILIES = [family for family in models._FAMILIES if not CLIPS & family.variants.keys()]
VARIANTS = [name for family in FAMILIES for name in family.variants]
FIRST = [next(iter(family.variants)) for family in FAMILIES]

# Trainable parameters with the reference's classes and auxiliary heads: torchvision's for AlexNet,
# VGG, GoogLeNet, Inception-v3, ResNet, ResNeXt, DenseNet, MobileNetV3, ViT-B, ViT-L and Swin,
# timm's for SE-ResNet, Xception, Darknet-53, CSPDarknet53, ViT-Ti and ViT-S, counted by hand from
# the papers for the others.
PARAMETERS = {
    "mlp": 266_610,
    "mlp_sigmoid": 1_665_010,
    "lenet5": 60_000,
    "lenet5_modern": 61_706,
    "alexnet": 61_100_840,
    "alexnet_original": 60_965_224,
    "zfnet": 62_357_608,
    "zfnet_wide": 107_627_624,
    "zf5_spp": 77_037_672,
    "nin_cifar10": 966_986,
    "nin_imagenet": 7_595_176,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "seresnet50": 28_088_024,
    "seresnet101": 49_326_872,
    "seresnet152": 66_821_848,
    "resnet20_cifar": 269_722,
    "resnet32_cifar": 464_154,
    "resnet44_cifar": 658_586,
    "resnet56_cifar": 853_018,
    "resnet110_cifar": 1_727_962,
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
    "vit_ti_16": 5_717_416,
    "vit_s_16": 22_050_664,
    "vit_s_32": 22_878_952,
    "vit_b_16": 86_567_656,
    "vit_b_32": 88_224_232,
    "vit_l_16": 304_326_632,
    "vit_l_32": 306_535_400,
    "swin_t": 28_288_354,
    "swin_s": 49_606_258,
    "swin_b": 87_768_224,
}
# Sizes of images other than 224 x 224 x 3 and classes other than 1000.
IMAGES = {
    "mlp": (28, 28, 1),
    "mlp_sigmoid": (28, 28, 1),
    "lenet5": (32, 32, 1),
    "lenet5_modern": (32, 32, 1),
    "alexnet_original": (227, 227, 3),
    "inception_v3": (299, 299, 3),
}
CLASSES = {
    name: 10
    for name in PARAMETERS
    if name.startswith(("mlp", "lenet", "densenet_bc")) or name.endswith(("_cifar", "_cifar10"))
}

ROUNDED_UP = {2: (23, 36), 4: (12, 18), 8: (6, 9), 16: (3, 5), 32: (2, 3)}

# Sizes of the maps at each stride: those that the papers print, and those of odd sizes, by hand.
SIZES = {
    ("mlp", 28, 20): {28: (1, 1)},
    ("lenet5", 32, 32): {2: (14, 14), 4: (5, 5)},
    ("alexnet_original", 227, 227): {4: (55, 55), 8: (27, 27), 16: (13, 13), 32: (6, 6)},
    ("alexnet", 97, 131): {4: (23, 32), 8: (11, 15), 16: (5, 7), 32: (2, 3)},
    ("zfnet", 224, 224): {2: (110, 110), 4: (55, 55), 8: (26, 26), 16: (13, 13), 32: (6, 6)},
    ("zfnet", 97, 131): {2: (47, 64), 4: (23, 32), 8: (10, 14), 16: (5, 7), 32: (2, 3)},
    ("zf5_spp", 224, 224): {2: (110, 110), 4: (55, 55), 8: (26, 26), 16: (13, 13), 32: (6, 6)},
    ("nin_cifar10", 33, 30): {1: (33, 30), 2: (16, 15), 4: (8, 7)},
    ("nin_imagenet", 224, 224): {4: (54, 54), 8: (27, 27), 16: (13, 13), 32: (6, 6)},
    ("vgg16", 97, 131): {
        1: (97, 131),
        2: (48, 65),
        4: (24, 32),
        8: (12, 16),
        16: (6, 8),
        32: (3, 4),
    },
    ("resnet18", 97, 131): {4: (25, 33), 8: (13, 17), 16: (7, 9), 32: (4, 5)},
    ("resnet50", 97, 131): {4: (25, 33), 8: (13, 17), 16: (7, 9), 32: (4, 5)},
    ("seresnet50", 97, 131): {4: (24, 33), 8: (12, 17), 16: (6, 9), 32: (3, 5)},
    ("resnet20_cifar", 33, 30): {1: (33, 30), 2: (17, 15), 4: (9, 8)},
    ("googlenet", 45, 61): {2: (23, 31), 4: (11, 15), 8: (5, 7), 16: (2, 3), 32: (1, 2)},
    ("googlenet_original", 45, 61): {2: (23, 31), 4: (11, 15), 8: (5, 7), 16: (2, 3), 32: (1, 1)},
    ("inception_v3", 75, 299): {2: (35, 147), 4: (15, 71), 8: (7, 35), 16: (3, 17), 32: (1, 8)},
    ("densenet121", 45, 71): {2: (23, 36), 4: (12, 18), 8: (6, 9), 16: (3, 4), 32: (1, 2)},
    ("densenet_bc_100_12", 32, 45): {1: (32, 45), 2: (16, 22), 4: (8, 11)},
    ("mobilenet_v3_small", 45, 71): ROUNDED_UP,
    ("mobilenet_v3_large", 45, 71): ROUNDED_UP,
    ("xception", 45, 71): {2: (20, 33), 4: (10, 17), 8: (5, 9), 16: (3, 5), 32: (2, 3)},
    ("darknet19", 45, 71): ROUNDED_UP,
    ("darknet53", 45, 71): ROUNDED_UP,
    ("cspdarknet53", 45, 71): ROUNDED_UP,
    ("vit_ti_16", 48, 80): {16: (3, 5)},
    ("vit_s_32", 64, 96): {32: (2, 3)},
    ("swin_t", 45, 71): {4: (11, 17), 8: (6, 9), 16: (3, 5), 32: (2, 3)},
}


def init_shapes(model, *image):
    """Shapes of a network's output and variables for two images."""
    images = jnp.zeros((2, *image))
    return jax.eval_shape(lambda: model.init_with_output(jax.random.key(0), images, train=False))


@functools.cache
def classifier_shapes(variant):
    return init_shapes(models.classifier(variant), *IMAGES.get(variant, (224, 224, 3)))


@pytest.mark.parametrize("variant", quick(VARIANTS, *FIRST))
def test_parameter_count_matches_reference(variant):
    logits, variables = classifier_shapes(variant)
    assert sum(x.size for x in jax.tree.leaves(variables["params"])) == PARAMETERS[variant]
    assert logits.shape == (2, CLASSES.get(variant, 1000))


@pytest.mark.parametrize("variant", quick(FIRST, "alexnet", "resnet18", "vit_ti_16", "swin_t"))
def test_parameters_statistics_and_logits_are_float32_whatever_it_computes_in(variant):
    model = models.classifier(variant, num_classes=10, dtype=jnp.bfloat16)
    shapes = init_shapes(model, *IMAGES.get(variant, (224, 224, 3)))
    assert {x.dtype for x in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    assert shapes[0].shape == (2, 10)
    features, _ = init_shapes(
        models.backbone(variant, dtype=jnp.bfloat16), *IMAGES.get(variant, (224, 224, 3))
    )
    assert {x.dtype for x in jax.tree.leaves(features)} == {jnp.dtype("bfloat16")}


@pytest.mark.parametrize("variant", FIRST)
def test_classifier_holds_the_variables_of_its_backbone(variant):
    _, whole = classifier_shapes(variant)
    _, part = init_shapes(models.backbone(variant), *IMAGES.get(variant, (224, 224, 3)))
    assert jax.tree.map(lambda x: x.shape, part) == {
        collection: jax.tree.map(lambda x: x.shape, tree["backbone"])
        for collection, tree in whole.items()
    }


@pytest.mark.parametrize(("variant", "height", "width"), SIZES, ids=lambda value: str(value))
def test_maps_have_the_sizes_of_their_strides(variant, height, width):
    channels = IMAGES.get(variant, (0, 0, 3))[2]
    features, _ = init_shapes(models.backbone(variant), height, width, channels)
    expected = SIZES[variant, height, width]
    assert {stride: x.shape[1:3] for stride, x in features.items()} == expected


@pytest.mark.parametrize("variant", FIRST)
def test_every_family_has_a_row_of_sizes(variant):
    family = next(f for f in FAMILIES if variant in f.variants)
    assert any(name in family.variants for name, _, _ in SIZES)


@pytest.mark.parametrize(
    "variant", ["alexnet", "alexnet_original", "zfnet", "nin_cifar10", "nin_imagenet", "vgg11"]
)
def test_dropout_acts_in_training_alone(variant):
    model = models.classifier(variant)
    images = jnp.zeros((1, *IMAGES.get(variant, (224, 224, 3))))
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    with pytest.raises(errors.InvalidRngError, match='"dropout"'):
        jax.eval_shape(lambda v: model.apply(v, images, train=True), variables)


def test_names_are_distinct_and_listed():
    assert len(set(models.variants())) == len(models.variants())
    assert set(VARIANTS) <= set(models.variants())


@pytest.mark.parametrize("build", [models.backbone, models.classifier])
def test_unknown_name_is_an_error_that_names_those_spelt_alike(build):
    with pytest.raises(ValueError, match="resnet50.*got resnet51"):
        build("resnet51")
    with pytest.raises(ValueError, match=r"yolox_s is built by models.yolox\('yolox_s', ...\)"):
        build("yolox_s")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: next(iter(f.variants)))
def test_factories_name_the_variants_they_know(family):
    for build in (family.backbone, family.classifier):
        with pytest.raises(ValueError, match=f"{next(iter(family.variants))}.*got nothing"):
            build("nothing")


def test_keywords_replace_fields_of_the_backbone():
    model = models.classifier("resnet50", num_classes=3, depths=(1, 1, 1, 1))
    assert model.num_classes == 3
    assert model.backbone == models.backbone("resnet50", depths=(1, 1, 1, 1))


# Whose random numbers compile in a fifth of the time that the default's take.
QUICK = jax.random.key(1, impl="rbg")


def test_residual_convolutions_start_by_fan_out_and_branches_silent_if_asked():
    block = ResidualBlock(features=256, width=64, zero_init_last=True)
    init = jax.jit(lambda key: block.init(key, jnp.zeros((1, 1, 1, 64)), train=False))
    params = init(QUICK)["params"]
    for name, fan_out in (("expand", 256), ("spatial", 9 * 64), ("shortcut", 256)):
        kernel = params[name]["conv"]["kernel"]
        np.testing.assert_allclose(kernel.std(), (2 / fan_out) ** 0.5, rtol=0.03)
    assert not params["expand"]["norm"]["scale"].any()
    assert (params["shortcut"]["norm"]["scale"] == 1).all()
    assert (params["spatial"]["norm"]["scale"] == 1).all()


def test_original_alexnet_starts_with_biases_of_one_where_the_paper_has_them():
    widths = (8, 8, 8, 8, 8)
    model = models.classifier("alexnet_original", num_classes=2, hidden=128, widths=widths)
    images = jnp.zeros((1, 67, 67, 3))
    init = jax.jit(lambda key: model.init(key, images, train=False))
    params = init(QUICK)["params"]
    layers = params.pop("backbone") | params
    biases = {name: set(np.unique(layer["bias"])) for name, layer in layers.items()}
    ones = ("conv2", "conv4", "conv5", "fc6", "fc7")
    assert biases == {name: {1} if name in ones else {0} for name in layers}
    np.testing.assert_allclose(layers["fc7"]["kernel"].std(), 0.01, rtol=0.03)


def test_stride_of_a_bottleneck_may_be_in_its_first_convolution():
    def shape_after_reduce(**options):
        model = models.backbone("resnet50", **options)
        _, captured = jax.eval_shape(
            lambda: model.init_with_output(
                jax.random.key(0),
                jnp.zeros((1, 64, 64, 3)),
                train=False,
                capture_intermediates=lambda m, _: m.name == "reduce",
                mutable=True,
            )
        )
        reduced = captured["intermediates"]["stage3_block1"]["reduce"]["__call__"][0]
        return reduced.shape

    assert shape_after_reduce() == (1, 16, 16, 128)
    assert shape_after_reduce(stride_in_1x1=True) == (1, 8, 8, 128)


def fill_randomly(shapes):
    """Variables of these shapes, without the compilation of an init."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.uniform(0.1, 0.3, x.shape).astype(np.float32), shapes)


def test_dropped_branches_leave_the_shortcut():
    block = ResidualBlock(features=6, width=0, stride=2, bottleneck=False, drop_path=0.999999)
    x = np.random.default_rng(1).standard_normal((2, 5, 6, 4)).astype(np.float32)
    variables = jax.eval_shape(lambda: block.init(jax.random.key(0), x, train=False))
    variables = fill_randomly(variables)
    rngs = {"dropout": jax.random.key(2)}
    y, _ = block.apply(variables, x, train=True, rngs=rngs, mutable=["batch_stats"])
    shortcut = variables["params"]["shortcut"]
    expected = x[:, ::2, ::2] @ shortcut["conv"]["kernel"][0, 0]
    expected = (expected - expected.mean((0, 1, 2))) / np.sqrt(expected.var((0, 1, 2)) + 1e-5)
    expected = expected * shortcut["norm"]["scale"] + shortcut["norm"]["bias"]
    np.testing.assert_allclose(y, np.maximum(expected, 0), atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_zero_padded_shortcut_keeps_every_second_pixel_and_all_channels(stride):
    block = CIFARBlock(features=16 if stride == 1 else 32, stride=stride)
    x = np.random.default_rng(1).uniform(0, 1, (1, 9, 8, 16)).astype(np.float32)
    variables = jax.eval_shape(lambda: block.init(jax.random.key(0), x, train=False))
    variables = fill_randomly(variables)
    norm = variables["params"]["spatial2"]["norm"]
    norm["scale"], norm["bias"] = 0 * norm["scale"], 0 * norm["bias"]
    y = np.asarray(block.apply(variables, x, train=False))
    padding = (y.shape[-1] - 16) // 2
    np.testing.assert_array_equal(y[..., padding : padding + 16], x[:, ::stride, ::stride])
    assert not y[..., :padding].any()
    assert not y[..., padding + 16 :].any()
