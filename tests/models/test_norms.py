"""The choices of every convolutional backbone that dense tasks need: its norm and its dilation."""

import functools

import jax
import numpy as np
import pytest
from cases import quick
from flax import traverse_util
from network import count, filled, shapes

from jaxvision import models
from jaxvision.layers.batch_norm import FrozenBatchNorm
from jaxvision.layers.group_norm import GroupNorm, InstanceNorm
from jaxvision.models.backbones.resnet import ResNet

# One of each family; papers of the other families have no normalisation that could be replaced.
NORMALISED = (
    "vgg11_bn",
    "googlenet",
    "inception_v3",
    "resnet18",
    "seresnet50",
    "resnet20_cifar",
    "densenet121",
    "densenet_bc_100_12",
    "mobilenet_v3_small",
    "xception",
    "darknet19",
    "darknet53",
    "cspdarknet53",
)
# Networks of clips are backbones of no dense task.
CLIPS = ("c3d", "ji_3d_cnn", "r3d_18")
WITHOUT = ("mlp", "lenet5", "alexnet", "zfnet", "zf5_spp", "nin_cifar10", "vit_ti_16", "swin_t")


def paths(tree):
    return set(traverse_util.flatten_dict(tree, sep="/"))


def test_every_family_is_normalised_or_without():
    for family in models._FAMILIES:
        assert any(name in family.variants for name in (*NORMALISED, *WITHOUT, *CLIPS))


@pytest.mark.parametrize("variant", quick(NORMALISED, "vgg11_bn", "resnet18"))
def test_norm_is_replaced_throughout(variant):
    size = 299 if variant == "inception_v3" else 75
    _, batch = shapes(models.classifier(variant), size)
    group = functools.partial(GroupNorm, groups=1)
    _, grouped = shapes(models.classifier(variant, norm=group), size)
    assert grouped.keys() == {"params"}
    assert paths(grouped["params"]) == paths(batch["params"])
    _, frozen = shapes(models.classifier(variant, norm=FrozenBatchNorm), size)
    everything = {path for tree in batch.values() for path in paths(tree)}
    assert {path for tree in frozen.values() for path in paths(tree)} == everything
    statistics = paths(frozen["batch_stats"])
    assert len(statistics) == 2 * len(paths(batch["batch_stats"]))
    assert all("norm" in path for path in statistics)
    assert not any(path.endswith("scale") for path in paths(frozen["params"]))
    assert count(frozen) == count(batch)
    instance = functools.partial(InstanceNorm)
    _, without = shapes(models.backbone(variant, norm=instance), 2 * size)
    assert not any("norm" in path for path in paths(without["params"]))


@pytest.mark.parametrize("variant", ["googlenet", "googlenet_original"])
def test_googlenet_is_normalised_unless_it_is_the_original(variant):
    norm = FrozenBatchNorm if variant == "googlenet_original" else None
    with pytest.raises(ValueError, match="norm must be None if and only if"):
        shapes(models.backbone(variant, norm=norm), 64)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(dict(), marks=pytest.mark.slow),
        pytest.param(dict(bottleneck=False), marks=pytest.mark.slow),
        # Without squeeze-and-excitation, whose means are over more places, too.
        dict(stride_in_1x1=True, ceil_pool=True),
    ],
)
@pytest.mark.parametrize(
    ("dilation", "steps"),
    [
        pytest.param((False, False, True), {4: 1, 8: 1, 16: 1, 32: 2}, marks=pytest.mark.slow),
        ((False, True, True), {4: 1, 8: 1, 16: 2, 32: 4}),
        pytest.param((True, False, True), {4: 1, 8: 2, 16: 2, 32: 4}, marks=pytest.mark.slow),
    ],
)
def test_dilated_stages_compute_the_strided_features_at_more_places(fields, dilation, steps):
    strided = ResNet(depths=(1, 2, 2, 2), **fields)
    dilated = strided.clone(dilation=dilation)
    variables = filled(shapes(strided, 64)[1])
    images = np.random.default_rng(1).standard_normal((1, 70, 57, 3), np.float32)

    @functools.partial(jax.jit, static_argnums=0)
    def apply(model):
        return model.apply(variables, images, train=False)

    expected, features = apply(strided), apply(dilated)
    for stride, step in steps.items():
        assert features[stride].shape[1] > step * (expected[stride].shape[1] - 1)
        sampled = features[stride][:, ::step, ::step]
        np.testing.assert_allclose(sampled, expected[stride], rtol=1e-3, atol=1e-4)


def test_dilation_of_another_number_of_stages_is_an_error():
    with pytest.raises(ValueError, match="entry for strides 8, 16 and 32"):
        shapes(models.backbone("resnet18", dilation=(True, True)), 64)
