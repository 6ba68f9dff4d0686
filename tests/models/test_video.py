"""Networks of clips."""

import jax
import numpy as np
import pytest
from network import count

from jaxvision import models
from jaxvision.models.video import c3d, ji, resnet
from jaxvision.models.video.c3d import pool_clips
from jaxvision.ops.optical_flow import optical_flow

# With 400 classes of Kinetics, from torchvision; C3D with 101 of UCF101.
PARAMS = {
    "c3d": 78_409_573,
    "r3d_18": 33_371_472,
    "mc3_18": 11_695_440,
    "r2plus1d_18": 31_505_325,
}


@pytest.mark.parametrize("variant", [*c3d.VARIANTS, *resnet.VARIANTS])
def test_parameter_count_matches_reference(variant):
    shape = (1, 16, 112, 112, 3) if variant == "c3d" else (1, 4, 32, 32, 3)
    model = models.classifier(variant)
    clips = jax.ShapeDtypeStruct(shape, np.float32)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clips)
    assert count(variables["params"]) == PARAMS[variant]


def test_c3d_of_sports_1m_has_487_classes():
    clips = jax.ShapeDtypeStruct((1, 16, 112, 112, 3), np.float32)
    model = models.classifier("c3d", num_classes=487)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clips)
    assert count(variables["params"]) == 79_991_015


@pytest.mark.parametrize(("variant", "frames"), [("r3d_18", 2), ("mc3_18", 11)])
def test_features_of_odd_clips(variant, frames):
    model = models.backbone(variant)
    clips = jax.ShapeDtypeStruct((2, 11, 33, 47, 3), np.float32)
    features, _ = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False), clips
    )
    assert {s: x.shape[2:4] for s, x in features.items()} == {
        2: (17, 24),
        4: (9, 12),
        8: (5, 6),
        16: (3, 3),
    }
    assert features[16].shape[1] == frames


def test_pool_drops_frames_that_fill_no_window():
    x = np.arange(5 * 4 * 4, dtype=np.float32).reshape(1, 5, 4, 4, 1)
    pooled = pool_clips(x, frames=2)
    assert pooled.shape == (1, 2, 2, 2, 1)
    np.testing.assert_array_equal(pooled[0, :, 0, 0, 0], [x[0, 1, 1, 1, 0], x[0, 3, 1, 1, 0]])


def test_unknown_kind_of_block():
    model = models.backbone("r3d_18", kinds=("3d", "3d", "3d", "4d"))
    with pytest.raises(ValueError, match=r"kinds must be of 3d, 2d, 2\+1d, got 4d"):
        jax.eval_shape(
            lambda: model.init(jax.random.key(0), np.zeros((1, 2, 8, 8, 3)), train=False)
        )


def test_first_3d_network_has_the_sizes_and_parameters_of_the_paper():
    clips = jax.ShapeDtypeStruct((2, 7, 60, 40, 3), np.float32)
    model = models.classifier("ji_3d_cnn")
    logits, variables = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False), clips
    )
    assert count(variables["params"]) == 295_458 and logits.shape == (2, 3)
    params = variables["params"]
    layers = {"c2": 1_480, "s3": 92, "c4": 3_810, "s5": 156}
    for name, expected in layers.items():
        parts = [tree for key, tree in params["backbone"].items() if key.startswith(name)]
        assert count(parts) == expected
    s5 = jax.eval_shape(
        lambda x: models.backbone("ji_3d_cnn").init_with_output(jax.random.key(0), x, train=False),
        clips,
    )[0]
    assert s5[6].shape == (2, 1, 7, 4, 78)
    with pytest.raises(ValueError, match="data.frames must be 7, got clips of 5 frames"):
        jax.eval_shape(
            lambda: model.init(jax.random.key(0), np.zeros((1, 5, 60, 40, 3)), train=False)
        )


def test_hard_wired_channels_by_hand():
    y, x = np.mgrid[:24, :24].astype(np.float32)
    frames = [np.sin((x - 0.5 * t) / 3) + np.cos((y + 0.25 * t) / 3) for t in range(3)]
    grey = np.stack(frames)[None]
    channels = ji.hard_wired(grey[..., None].repeat(3, -1))
    assert [c.shape[1] for c in channels] == [3, 3, 3, 2, 2]
    np.testing.assert_allclose(channels[0], grey, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(channels[1], np.gradient(grey, axis=3), atol=1e-5)
    np.testing.assert_allclose(channels[2], np.gradient(grey, axis=2), atol=1e-5)
    inner = (slice(None), slice(None), slice(6, -6), slice(6, -6))
    np.testing.assert_allclose(channels[3][inner], 0.5, atol=0.05)
    np.testing.assert_allclose(channels[4][inner], -0.25, atol=0.05)
    still = np.ones((1, 2, 8, 8), np.float32)
    np.testing.assert_array_equal(optical_flow(still), 0)
