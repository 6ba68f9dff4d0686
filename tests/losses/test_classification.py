import jax
import numpy as np
import pytest

from jaxvision.losses.classification import (
    binary_cross_entropy,
    huber,
    kl_divergence,
    mean_squared_error,
    sigmoid_focal,
    softmax_cross_entropy,
    softmax_focal,
)

LOGITS = np.log(np.float32([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
ONE_HOT = np.float32([[1, 0, 0], [0, 1, 0]])
WEIGHTS = np.float32([2.0, 3.0, 1.0])
LOSSES = (softmax_cross_entropy, binary_cross_entropy, softmax_focal, sigmoid_focal)


def test_cross_entropy_by_hand():
    expected = -np.log([0.5, 0.1])
    np.testing.assert_allclose(softmax_cross_entropy(LOGITS, ONE_HOT), expected, rtol=1e-5)
    np.testing.assert_allclose(
        softmax_cross_entropy(LOGITS, ONE_HOT, class_weights=WEIGHTS),
        expected * [2.0, 3.0],
        rtol=1e-5,
    )


def test_label_smoothing_by_hand():
    # 0.1 is dealt out over three classes: 0.7 + 0.3/3 = 0.8 and 0.1.
    expected = -(0.8 * np.log(0.5) + 0.1 * np.log(0.25) * 2)
    found = softmax_cross_entropy(LOGITS, ONE_HOT, label_smoothing=0.3)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_mixed_targets_by_hand():
    targets = np.float32([[0.25, 0.75, 0.0]])
    expected = -(0.25 * np.log(0.5) + 0.75 * np.log(0.25))
    np.testing.assert_allclose(softmax_cross_entropy(LOGITS[:1], targets), [expected], rtol=1e-5)


def test_binary_cross_entropy_by_hand():
    # The sigmoids are 0.5, 0.75 and 0.2.
    logits = np.float32([[0.0, np.log(3.0), -np.log(4.0)]])
    targets = np.float32([[1, 1, 0]])
    terms = -np.log([0.5, 0.75, 0.8])
    np.testing.assert_allclose(binary_cross_entropy(logits, targets), [terms.mean()], rtol=1e-5)
    np.testing.assert_allclose(
        binary_cross_entropy(logits, targets, class_weights=WEIGHTS),
        [(terms * WEIGHTS).mean()],
        rtol=1e-5,
    )
    smooth = binary_cross_entropy(logits[:, 1:2], targets[:, 1:2], label_smoothing=0.2)
    np.testing.assert_allclose(smooth, [-(0.9 * np.log(0.75) + 0.1 * np.log(0.25))], rtol=1e-5)


def test_focal_by_hand():
    np.testing.assert_allclose(
        softmax_focal(LOGITS, ONE_HOT, gamma=2.0),
        [-0.25 * np.log(0.5), -0.81 * np.log(0.1)],
        rtol=1e-5,
    )
    logits, targets = np.float32([[np.log(3.0), -np.log(4.0)]]), np.float32([[1, 0]])
    terms = [-(0.25**2) * np.log(0.75), -(0.2**2) * np.log(0.8)]
    np.testing.assert_allclose(sigmoid_focal(logits, targets), [np.mean(terms)], rtol=1e-5)


def test_focal_without_gamma_is_the_cross_entropy():
    for focal, plain in (
        (softmax_focal, softmax_cross_entropy),
        (sigmoid_focal, binary_cross_entropy),
    ):
        np.testing.assert_allclose(
            focal(LOGITS, ONE_HOT, gamma=0.0), plain(LOGITS, ONE_HOT), rtol=1e-5
        )
    with pytest.raises(ValueError, match="gamma must be 0 or at least 1, got 0.5"):
        softmax_focal(LOGITS, ONE_HOT, gamma=0.5)


@pytest.mark.parametrize("loss", LOSSES)
def test_each_example_stands_alone(loss):
    whole = loss(LOGITS, ONE_HOT)
    assert whole.shape == (2,)
    np.testing.assert_allclose(whole[1:], loss(LOGITS[1:], ONE_HOT[1:]), rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [0.0, 50.0, 1e4, 1e30])
def test_values_and_gradients_are_finite_at_extremes(loss, size):
    logits = np.float32(size) * np.float32([[1, -1, 0], [-1, 1, 0], [1, 1, 1], [0, -1, -1]])
    values = jax.jit(jax.value_and_grad(lambda x, targets: loss(x, targets).sum()))
    for targets in (np.eye(3, dtype=np.float32)[[0, 0, 1, 2]], np.full((4, 3), 0.3, np.float32)):
        value, gradient = values(logits, targets)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_divergence_and_errors_by_hand():
    targets = np.float32([[0.5, 0.5, 0.0], [0.1, 0.1, 0.8]])
    expected = [0.5 * np.log(0.5 / 0.25), 0.0]
    np.testing.assert_allclose(kl_divergence(LOGITS, targets), expected, atol=1e-6)
    outputs = np.float32([[1.0, 0.5, -2.0]])
    target = np.float32([[1, 0, 0]])
    np.testing.assert_allclose(mean_squared_error(outputs, target), [(0.25 + 4) / 3], rtol=1e-5)
    np.testing.assert_allclose(huber(outputs, target), [(0.125 + 1.5) / 3], rtol=1e-5)
    weighted = huber(outputs, target, class_weights=WEIGHTS)
    np.testing.assert_allclose(weighted, [(3 * 0.125 + 1.5) / 3], rtol=1e-5)
