"""R-CNN, SPP-Net and Fast R-CNN: how they pool regions, and what the fitted machines change."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from compiled import apply
from flax import linen as nn
from network import count

from jaxvision import models
from jaxvision.models.detection.rcnn import RCNN, SPPNet


class Identity(nn.Module):
    """Passes pixels on as the features of one stride."""

    stride: int = 1

    @nn.compact
    def __call__(self, images, *, train):
        return {self.stride: images}


def plain(kind, **fields):
    normal = dict(image_mean=(0.0,) * 3, image_std=(1.0,) * 3)
    return kind(2, Identity(), strides=(1,), hidden=8, dropout=0.0, **normal, **fields)


def test_regions_are_warped_with_what_is_around_them():
    # Pixels hold their own place: x in the first channel, y in the second, 1 in the third.
    y, x = np.mgrid[:40, :60].astype(np.float32)
    images = jnp.asarray(np.stack([x, y, np.ones_like(x)], axis=-1))[None]
    model = plain(RCNN, side=20, context=5)
    boxes = jnp.array([[[10.0, 12.0, 30.0, 32.0], [50.0, 0.0, 60.0, 10.0]]])
    levels = apply(model, {}, images, train=False, method="extract")
    crops = np.asarray(apply(model, {}, levels, boxes, train=False, method="pool"))
    assert crops.shape == (1, 2, 20, 20, 3)
    # 20 pixels of the region on 10 of the square: two pixels a step, from 10 pixels before it on.
    expected = 10 - 10 + 2 * (np.arange(20) + 0.5) - 0.5
    np.testing.assert_allclose(crops[0, 0, 10, :, 0], expected, atol=1e-4)
    np.testing.assert_allclose(crops[0, 0, :19, 10, 1], expected[:19] + 2, atol=1e-4)
    # The mean colour outside of the image, which is 40 pixels high.
    assert (
        crops[0, 0, 19, 10, 2] == 0 and crops[0, 1, 10, 19, 2] == 0 and crops[0, 1, 10, 10, 2] == 1
    )


def test_pyramids_hold_the_maxima_of_their_bins():
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(1, 32, 32, 3)), jnp.float32)
    model = plain(SPPNet, pyramid_bins=(2, 1))
    boxes = jnp.array([[[4.0, 8.0, 15.0, 19.0]]])
    levels = apply(model, {}, images, train=False, method="extract")
    pooled = apply(model, {}, levels, boxes, train=False, method="pool")
    region = np.asarray(images)[0, 8:20, 4:16]
    parts = [region[a : a + 6, b : b + 6].max((0, 1)) for a in (0, 6) for b in (0, 6)]
    np.testing.assert_array_equal(pooled[0, 0, 0], [*parts, region.max((0, 1))])


@pytest.mark.parametrize("kind", quick([RCNN, SPPNet], RCNN))
def test_machines_take_the_place_of_the_softmax_once_they_are_fitted(kind):
    images = jnp.asarray(np.random.default_rng(0).normal(size=(1, 32, 32, 3)), jnp.float32)
    model = plain(kind, **(dict(side=8, context=1) if kind is RCNN else {}))
    init = functools.partial(model.init, train=False)
    variables = dict(jax.jit(init)(jax.random.key(0), images))
    boxes = jnp.array([[[0.0, 0.0, 20.0, 20.0], [10.0, 3.0, 30.0, 30.0]]])
    levels = apply(model, variables, images, train=False, method="extract")

    @functools.partial(jax.jit, static_argnames="train")
    def classify(variables, train):
        return model.apply(variables, levels, boxes, train=train, method="classify")

    softmax = jax.nn.softmax(classify(variables, True).class_logits)
    odds = classify(variables, False)
    np.testing.assert_allclose(jax.nn.sigmoid(odds.class_logits), softmax, rtol=1e-4)
    np.testing.assert_array_equal(odds.box_regression, 0)

    features = apply(model, variables, levels, boxes, method="features")
    rng = np.random.default_rng(1)
    head = variables["fitted"]["head"]
    head = {name: jnp.asarray(rng.normal(size=x.shape), jnp.float32) for name, x in head.items()}
    head["ready"] = jnp.ones(())
    fitted = classify({**variables, "fitted": {"head": head}}, False)
    expected = features @ head["svm_kernel"] + head["svm_bias"][None, None]
    np.testing.assert_allclose(fitted.class_logits[..., 1:], expected, rtol=1e-4, atol=1e-4)
    moved = jnp.einsum("brd,dkc->brkc", features, head["box_kernel"]) + head["box_bias"][None, None]
    np.testing.assert_allclose(fitted.box_regression[:, :, 1:], moved, rtol=1e-4, atol=1e-4)


def test_a_classifier_with_pyramids_takes_images_of_any_size():
    model = models.classifier("zf5_spp", num_classes=7, hidden=16)
    for size in ((224, 224), (180, 131)):
        images = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
        logits = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
        assert logits.shape == (2, 7)
        assert variables["params"]["fc6"]["kernel"].shape == (50 * 256, 16)


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        # Convolutions, 9,216 and 4,096 to 4,096, a softmax of 21.
        ("rcnn_alexnet", 2_469_696 + 9216 * 4096 + 4096 + 4096 * 4096 + 4096 + 4097 * 21),
        ("spp_net_zf5", 3_726_464 + 12_800 * 4096 + 4096 + 4096 * 4096 + 4096 + 4097 * 21),
    ],
)
def test_number_of_parameters_counted_by_hand(variant, expected):
    build = models.rcnn if variant.startswith("rcnn") else models.spp_net
    model = build(variant, num_classes=20)
    images = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    assert count(shapes["params"]) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(pooling="mean"), "pooling must be align or max, got mean"),
        (dict(strides=(8, 16)), "pooling must be align for several strides"),
        (dict(strides=(2,)), r"the backbone must have features at strides \(2,\)"),
    ],
)
def test_networks_that_do_not_fit_together_are_errors(options, message):
    model = models.fast_rcnn(
        "tiny", num_classes=2, **(dict(pyramid=0, strides=(16,), pooling="max") | options)
    )
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(
            lambda x: model.init(jax.random.key(0), x, train=False), jnp.zeros((1, 64, 64, 3))
        )
