import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.losses.segmentation import dice_loss, pixel_cross_entropy

VOID = 255


def example(seed=0, classes=4):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((2, 5, 6, classes)).astype(np.float32)
    labels = rng.integers(0, classes, (2, 5, 6)).astype(np.int32)
    labels[0, :2] = VOID
    return logits, labels


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_cross_entropy_is_the_weighted_mean_over_pixels_that_have_a_class():
    logits, labels = example()
    weights, factors = np.array([0.5, 1.0, 2.0, 3.0]), np.random.default_rng(1).random((2, 5, 6))
    kept = labels != VOID
    own = log_softmax(logits)[kept, labels[kept]]
    w = weights[labels[kept]]
    found = pixel_cross_entropy(logits, labels, class_weights=jnp.asarray(weights))
    assert found == pytest.approx(-(own * w).sum() / w.sum(), rel=1e-5)
    found = pixel_cross_entropy(logits, labels, pixel_weights=jnp.asarray(factors))
    assert found == pytest.approx(-(own * factors[kept]).mean(), rel=1e-5)


def test_focal_loss_lowers_the_terms_of_easy_pixels():
    logits, labels = example()
    own = log_softmax(logits)[labels != VOID, labels[labels != VOID]]
    expected = -((1 - np.exp(own)) ** 2 * own).mean()
    assert pixel_cross_entropy(logits, labels, gamma=2.0) == pytest.approx(expected, rel=1e-5)


def test_dice_is_a_mean_over_the_classes():
    logits, labels = example()
    kept = labels != VOID
    p = np.exp(log_softmax(logits))[kept]
    y = np.eye(4)[labels[kept]]
    each = (2 * (p * y).sum(0) + 1) / (p.sum(0) + y.sum(0) + 1)
    assert dice_loss(logits, labels) == pytest.approx(1 - each.mean(), rel=1e-5)
    joint = 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
    assert dice_loss(logits, labels, joint=True) == pytest.approx(joint, rel=1e-5)


@pytest.mark.parametrize(
    "loss", [pixel_cross_entropy, dice_loss, lambda x, y: pixel_cross_entropy(x, y, gamma=2.0)]
)
def test_a_batch_of_void_has_no_loss_and_no_gradient(loss):
    logits, labels = example()
    value, grad = jax.jit(jax.value_and_grad(lambda x: loss(x, np.full_like(labels, VOID))))(logits)
    assert value == 0 and not np.asarray(grad).any()


@pytest.mark.parametrize("loss", [pixel_cross_entropy, dice_loss])
def test_gradients_are_finite_at_extreme_logits(loss):
    logits, labels = example()
    grad = jax.jit(jax.grad(lambda x: loss(x, labels)))(1e4 * logits)
    assert np.isfinite(grad).all()
