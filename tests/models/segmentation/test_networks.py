import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from network import count, initial, shapes

from jaxvision import models
from jaxvision.layers.initializers import bilinear_upsampling
from jaxvision.models.segmentation.catalogue import VARIANTS
from jaxvision.models.segmentation.segmenter_output import SegmenterOutput
from jaxvision.models.segmentation.unet import valid_input

# Classes and parameters, from torchvision (with auxiliary head), pytorch-fcn, Pytorch-UNet and the
# papers' definitions; ours alone: unet_small, fcn_resnet18, deconvnet_small.
PARAMETERS = {
    "unet": (11, 31_032_395),
    "unet_milesial": (1, 31_037_633),
    "unet_milesial_bilinear": (4, 17_263_172),
    "unet_small": (11, 1_081_099),
    "fcn32s": (21, 136_152_917),
    "fcn16s": (21, 134_815_994),
    "fcn8s": (21, 134_489_759),
    "fcn8s_at_once": (21, 134_489_759),
    "fcn_resnet18": (21, 11_769_301),
    "fcn_resnet50": (21, 35_322_218),
    "fcn_resnet101": (21, 54_314_346),
    "deeplabv3_resnet50": (21, 42_004_074),
    "deeplabv3_resnet101": (21, 60_996_202),
    "segnet": (11, 29_449_355),
    "segnet_basic": (11, 1_416_587),
    "deconvnet": (21, 251_805_653),
    "deconvnet_small": (21, 988_877),
}
SMALLEST = {"unet": 188, "deconvnet": 224, "deconvnet_small": 224}


@pytest.mark.parametrize(
    "variant",
    quick(VARIANTS, "unet", "unet_milesial", "fcn8s", "fcn_resnet50", "segnet", "deconvnet"),
)
def test_parameter_count_matches_reference(variant):
    classes, expected = PARAMETERS[variant]
    model = models.segmenter(variant, num_classes=classes)
    output, variables = shapes(model, SMALLEST.get(variant, 64), train=True)
    assert count(variables["params"]) == expected
    logits = output.logits if isinstance(output, SegmenterOutput) else output
    assert logits.dtype == jnp.float32


@pytest.mark.parametrize(
    "variant",
    quick(
        [name for name in VARIANTS if name not in SMALLEST],
        *("unet_milesial", "fcn8s", "fcn_resnet18", "segnet_basic"),
    ),
)
def test_logits_have_the_size_of_any_image(variant):
    model = models.segmenter(variant, num_classes=3, dtype=jnp.bfloat16)
    output, _ = shapes(model, 53, 70)
    assert (output.shape, output.dtype) == ((2, 53, 70, 3), jnp.float32)


def test_unet_without_padding_has_the_sizes_of_figure_1():
    model = models.segmenter("unet")
    assert shapes(model, 572)[0].shape == (2, 388, 388, 2)
    assert (valid_input(388, 5), valid_input(1, 5)) == (572, 188)
    mirrored = models.segmenter("unet", mirror=True)
    assert shapes(mirrored, 100, 61)[0].shape == (2, 100, 61, 2)


def test_mirrored_images_give_the_logits_of_a_larger_image():
    model = models.segmenter("unet", widths=(2, 4), dropout=0.0)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((1, 12, 12, 3)), jnp.float32)
    side = valid_input(12, 2)
    before = (side - 12) // 2
    pads = ((0, 0), (before, side - 12 - before), (before, side - 12 - before), (0, 0))
    images = jnp.pad(x, pads, mode="symmetric")
    large, variables = model.init_with_output(jax.random.key(0), images, train=False)
    start = (large.shape[1] - 12) // 2
    expected = large[:, start : start + 12, start : start + 12]
    logits = model.clone(mirror=True).apply(variables, x, train=False)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


def test_auxiliary_head_is_there_in_training_alone():
    model = models.segmenter("fcn_resnet18", num_classes=5, auxiliary=True)
    output, _ = shapes(model, 64, train=True)
    assert [x.shape for x in output.auxiliary] == [(2, 64, 64, 5)]
    assert shapes(model, 64, train=False)[0].shape == (2, 64, 64, 5)


def test_any_backbone_gets_a_decoder_in_one_line():
    model = models.segmenter("backbone_unet", num_classes=4, backbone=models.backbone("resnet18"))
    assert shapes(model, 64, 96)[0].shape == (2, 64, 96, 4)
    with pytest.raises(ValueError, match="backbone_unet needs a backbone"):
        models.segmenter("backbone_unet")


def test_unknown_names_and_sizes_are_errors():
    with pytest.raises(ValueError, match=r"name must be one of segnet.*got segnett"):
        models.segmenter("segnett")
    with pytest.raises(ValueError, match="multiples of 32 and at least 224, got 225 and 225"):
        shapes(models.segmenter("deconvnet_small"), 225)


@pytest.mark.parametrize(("size", "center"), [(4, 1.5), (16, 7.5), (3, 1.0)])
def test_bilinear_filter(size, center):
    kernel = np.asarray(bilinear_upsampling()(None, (size, size, 2, 2)))
    factor = (size + 1) // 2
    line = 1 - np.abs(np.arange(size) - center) / factor
    np.testing.assert_allclose(kernel[:, :, 0, 0], np.outer(line, line), rtol=1e-6)
    assert not kernel[:, :, 0, 1].any()
    with pytest.raises(ValueError, match="must be"):
        bilinear_upsampling()(None, (4, 4, 2, 3))


@pytest.mark.slow
def test_scores_of_fcn_start_at_zero_and_upsampling_bilinear():
    model = models.segmenter("fcn32s", num_classes=2)
    found = initial(model, 32, ["score/kernel", "upsample/kernel"])
    assert not found["score/kernel"].any()
    assert found["upsample/kernel"][31, 31, 0, 0] == pytest.approx((63 / 64) ** 2)
