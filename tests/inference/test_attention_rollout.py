import jax
import numpy as np
import pytest
from network import filled, shapes

from jaxvision import models
from jaxvision.inference.attention_rollout import (
    attention_maps,
    attention_rollout,
    class_token_map,
    position_similarity,
)


def random_maps(blocks, tokens=5):
    maps = np.random.default_rng(0).random((blocks, 2, 3, tokens, tokens))
    return list(maps / maps.sum(-1, keepdims=True))


def test_rollout_of_two_blocks_by_hand():
    # Heads [[1, 0], [0, 1]] and [[0, 1], [0, 1]] are [[.5, .5], [0, 1]] together.
    first = np.array([[[[1, 0], [0, 1]], [[0, 1], [0, 1]]]])
    second = np.array([[[[0, 1], [1, 0]]]])
    # With the identity: [[.75, .25], [0, 1]], then [[.5, .5], [.5, .5]] from the left.
    rollout = attention_rollout([first, second])
    np.testing.assert_allclose(rollout, [[[0.375, 0.625], [0.375, 0.625]]])


def test_rows_of_a_rollout_sum_to_one():
    rollout = attention_rollout(random_maps(4))
    assert rollout.shape == (2, 5, 5)
    np.testing.assert_allclose(rollout.sum(-1), np.ones((2, 5)))


def test_share_of_the_residual_connection():
    maps = random_maps(2)
    np.testing.assert_allclose(attention_rollout(maps, residual=1)[0], np.eye(5))
    np.testing.assert_allclose(
        attention_rollout(maps, residual=0), maps[1].mean(1) @ maps[0].mean(1)
    )
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 1.5"):
        attention_rollout(maps, residual=1.5)
    with pytest.raises(ValueError, match="got none"):
        attention_rollout([])


def test_maps_of_a_model_come_in_the_order_of_its_blocks():
    model = models.classifier(
        "vit_ti_16", num_classes=2, width=8, heads=2, depth=11, patch=4, image_size=(8, 12)
    )
    variables = filled(shapes(model, 8, 12)[1])
    x = np.random.default_rng(0).standard_normal((1, 8, 12, 3), np.float32)
    run = jax.jit(
        lambda v, x: model.apply(v, x, train=False, mutable=["intermediates"]),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    _, state = run(variables, x)
    maps = attention_maps(state["intermediates"])
    assert [m.shape for m in maps] == [(1, 2, 7, 7)] * 11
    sown = state["intermediates"]["backbone"]
    np.testing.assert_array_equal(maps[1], sown["block2"]["attention"]["weights"][0])
    np.testing.assert_array_equal(maps[10], sown["block11"]["attention"]["weights"][0])
    assert class_token_map(attention_rollout(maps), (2, 3)).shape == (1, 2, 3)
    with pytest.raises(ValueError, match="got nothing"):
        attention_maps({})


def test_map_of_the_class_token_has_its_patches_rows_first():
    rollout = np.arange(49.0).reshape(1, 7, 7)
    expected = [[[1, 2, 3], [4, 5, 6]]]
    np.testing.assert_array_equal(class_token_map(rollout, (2, 3)), expected)
    with pytest.raises(ValueError, match="expected 1 . 2 x 2 tokens, got 7"):
        class_token_map(rollout, (2, 2))


def test_similarity_of_positions_by_hand():
    # Positions 0 and 1 point the same way, 2 is at a right angle, 3 is the opposite of 0.
    positions = [[9, 9], [1, 0], [5, 0], [0, 2], [-3, 0]]
    similarity = position_similarity(np.array([positions]), (2, 2))
    np.testing.assert_allclose(similarity[0, 0], [[1, 1], [0, -1]])
    np.testing.assert_allclose(similarity[1, 0], [[0, 0], [1, 0]])
    with pytest.raises(ValueError, match="at least 6 positions of a grid of 2 x 3, got 5"):
        position_similarity(np.array([positions]), (2, 3))
