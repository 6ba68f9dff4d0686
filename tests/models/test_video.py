"""Networks of clips."""

import jax
import numpy as np
import pytest
from network import count

from jaxvision import models
from jaxvision.models.video import c3d, resnet
from jaxvision.models.video.c3d import pool_clips

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
