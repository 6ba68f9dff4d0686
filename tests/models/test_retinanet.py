import functools

import jax
import jax.numpy as jnp
import network
import numpy as np
import pytest
from compiled import apply, init
from flax import traverse_util

from jaxvision import models
from jaxvision.layers.batch_norm import FrozenBatchNorm
from jaxvision.models.detection.fpn import FPN
from jaxvision.models.detection.retinanet import VARIANTS

# With 91 classes and batch normalisation. The first is torchvision's 34,014,999, whose fixed
# normalisation has no parameters, and 53,120 of ResNet-50's; the rest follow from their parts.
PARAMETERS = {
    "retinanet_resnet50_fpn": 34_068_119,
    "retinanet_resnet101_fpn": 53_060_247,
    "retinanet_resnet18_fpn": 21_048_471,
    "retinanet_tiny": 3_241_191,
}


def shapes(model, *size):
    images = jnp.zeros((1, *(size or (64, 64)), 3))
    return jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))


def count(tree):
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameter_count_matches_reference(variant):
    params = shapes(models.retinanet(variant, num_classes=91))["params"]
    assert count(params) == PARAMETERS[variant]


def test_fixed_normalisation_has_no_parameters():
    model = models.retinanet("resnet50_fpn", num_classes=91, norm=FrozenBatchNorm)
    variables = shapes(model)
    assert count(variables["params"]) == 34_014_999
    assert count(variables["batch_stats"]) == 2 * 53_120


def test_variant_is_known_with_and_without_its_family():
    assert set(VARIANTS) <= set(models.variants())
    short, full = (
        models.retinanet(n, num_classes=3) for n in ("resnet18_fpn", "retinanet_resnet18_fpn")
    )
    assert short == full
    with pytest.raises(ValueError, match="variant must be one of retinanet_resnet50.*got retina_q"):
        models.retinanet("retina_q", num_classes=3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_predicts_nine_anchors_a_cell_in_float32_whatever_it_computes_in(variant):
    model = models.retinanet(variant, num_classes=5, dtype=jnp.bfloat16)
    images = jnp.zeros((2, 64, 96, 3), jnp.uint8)
    output, variables = jax.eval_shape(
        lambda: model.init_with_output(jax.random.key(0), images, train=False)
    )
    anchors = 9 * (8 * 12 + 4 * 6 + 2 * 3 + 1 * 2 + 1 * 1)
    assert output.box_regression.shape == (2, anchors, 4)
    assert output.class_logits.shape == (2, anchors, 5)
    assert output.objectness is None
    assert {x.dtype for x in jax.tree.leaves((output, variables))} == {jnp.dtype("float32")}


def test_strides_and_anchors_of_a_cell_are_fields():
    model = models.retinanet("tiny", num_classes=2, strides=(8, 16, 32), anchors_per_cell=3)
    output = jax.eval_shape(
        lambda: model.init_with_output(jax.random.key(0), jnp.zeros((1, 64, 64, 3)), train=False)
    )[0]
    assert output.class_logits.shape == (1, 3 * (64 + 16 + 4), 2)


@pytest.mark.parametrize("size", [(48, 64), (64, 100)])
def test_image_size_must_be_a_multiple_of_32(size):
    wrong = next(s for s in size if s % 32)
    with pytest.raises(ValueError, match=f"multiple of 32, got {wrong}"):
        shapes(models.retinanet("tiny", num_classes=1), *size)


def test_any_backbone_goes_under_the_pyramid():
    model = models.retinanet("tiny", num_classes=1, backbone=models.backbone("resnet18"))
    kernel = shapes(model)["params"]["neck"]["lateral5"]["kernel"]
    assert kernel.shape == (1, 1, 512, 64)
    with pytest.raises(ValueError, match="norm must be None with a backbone of your own"):
        models.retinanet("tiny", num_classes=1, backbone=model.backbone, norm=FrozenBatchNorm)


def test_coarse_levels_come_from_the_pyramid_or_from_the_backbone():
    features = {
        8: jnp.zeros((1, 8, 8, 3)),
        16: jnp.zeros((1, 4, 4, 5)),
        32: jnp.zeros((1, 2, 2, 7)),
    }

    def extra(**options):
        fpn = FPN((8, 16, 32, 64, 128), 4, **options)
        return jax.eval_shape(lambda: fpn.init(jax.random.key(0), features))["params"]["extra6"]

    assert extra()["kernel"].shape == (3, 3, 4, 4)
    assert extra(extra_from_backbone=True)["kernel"].shape == (3, 3, 7, 4)


def test_a_level_is_lateral_plus_the_coarser_one_and_the_last_is_rectified_before():
    one = jnp.ones((1, 2, 2, 1))
    fpn = FPN((16, 32, 64, 128), 1)
    features = {16: jnp.ones((1, 4, 4, 1)), 32: one}
    params = init(fpn, jax.random.key(0), features)["params"]
    params = jax.tree.map(jnp.zeros_like, params)
    for name, value in (("lateral4", 1.0), ("lateral5", 2.0), ("output4", 1.0), ("output5", -1.0)):
        params[name]["kernel"] = params[name]["kernel"].at[*_middle(params[name])].set(value)
    for name in ("extra6", "extra7"):
        params[name]["kernel"] = params[name]["kernel"].at[1, 1].set(1.0)
    levels = apply(fpn, {"params": params}, features)
    np.testing.assert_array_equal(levels[16], jnp.full((1, 4, 4, 1), 1.0 + 2.0))
    np.testing.assert_array_equal(levels[32], jnp.full((1, 2, 2, 1), -2.0))
    np.testing.assert_array_equal(levels[64], [[[[-2.0]]]])
    np.testing.assert_array_equal(levels[128], [[[[0.0]]]])


def _middle(params):
    side = params["kernel"].shape[0] // 2
    return side, side


def test_backbone_without_the_first_stride():
    with pytest.raises(ValueError, match=r"first of the strides \(8, 16\), got \(16, 32\)"):
        FPN((8, 16), 4).init(jax.random.key(0), dict.fromkeys((16, 32), jnp.zeros((1, 2, 2, 3))))


@pytest.fixture(scope="module")
def initial():
    """The parameters of pyramid and heads."""
    model = models.retinanet("tiny", num_classes=80, features=256)
    images = jnp.zeros((1, 64, 64, 3))
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    names = ["/".join(name) for name in traverse_util.flatten_dict(variables["params"])]
    return network.initial(model, 64, [n for n in names if not n.startswith("backbone")])


def test_classes_start_at_one_percent_and_other_biases_at_zero(initial):
    np.testing.assert_allclose(initial["class_head/predict/bias"], -4.59512, rtol=1e-5)
    for name, value in initial.items():
        if name.startswith(("box_head", "neck")) and name.endswith("bias"):
            assert (value == 0).all()


def test_kernels_start_as_torchvisions(initial):
    for name, kernel in initial.items():
        if "head" in name and name.endswith("kernel"):
            np.testing.assert_allclose(kernel.std(), 0.01, rtol=0.05, err_msg=name)
        if name.startswith("neck") and name.endswith("kernel"):
            # kaiming_uniform with a = 1.
            bound = np.sqrt(3 / np.prod(kernel.shape[:3]))
            assert 0.98 * bound < np.abs(kernel).max() <= bound


def test_images_are_normalised_inside():
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    build = functools.partial(models.retinanet, "tiny", num_classes=1)
    seen = network.images_of_backbone(build, images)
    normalised = (images / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(seen, normalised, rtol=1e-4, atol=1e-6)
