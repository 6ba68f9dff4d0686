import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from striped import Channels, task

from jaxvision import models
from jaxvision.losses.segmentation import dice_loss, pixel_cross_entropy
from jaxvision.models.segmentation.segmenter_output import SegmenterOutput
from jaxvision.tasks.segmentation import SemanticSegmentation, cut_to


def batch(seed=0, rows=2, side=16, classes=3):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (rows, side, side, 3), np.uint8),
        "label_map": rng.integers(0, classes, (rows, side, side)).astype(np.int32),
    }


PARAMS = {"scale": jnp.ones(())}


def loss(of, data):
    return of.loss(PARAMS, {}, data, step=jnp.int32(0), key=jax.random.key(0))


def test_loss_is_the_sum_of_its_terms():
    data = batch()
    logits = Channels().apply({"params": PARAMS}, task().normalize(data["image"]), train=True)
    labels, weights = data["label_map"], jnp.array([1.0, 2.0, 3.0])
    expected = 2 * pixel_cross_entropy(logits, labels, class_weights=weights)
    expected += 0.5 * dice_loss(logits, labels, smooth=1.0)
    expected += 3 * pixel_cross_entropy(logits, labels, class_weights=weights, gamma=2.0)
    found = loss(task(cross_entropy=2.0, dice=0.5, focal=3.0, class_weights=(1.0, 2.0, 3.0)), data)
    assert found.value == pytest.approx(float(expected), rel=1e-5)
    assert set(found.logs) == {"cross_entropy", "dice", "focal", "pixel_accuracy"}


def test_weights_of_pixels_are_used():
    data = batch() | {"pixel_weights": np.full((2, 16, 16), 3.0, np.float32)}
    assert loss(task(), data).value == pytest.approx(3 * float(loss(task(), batch()).value))


def test_a_batch_of_void_has_no_loss():
    data = batch()
    data["label_map"][:] = 255
    found = loss(task(dice=1.0, focal=1.0), data)
    assert found.value == 0 and found.logs["pixel_accuracy"] == 0


class WithAuxiliary(Channels):
    def __call__(self, images, *, train):
        logits = super().__call__(images, train=train)
        return SegmenterOutput(logits, (-logits,)) if train else logits


def test_auxiliary_heads_add_their_loss():
    data = batch()
    of = SemanticSegmentation(
        WithAuxiliary(), task().class_names, (0.0,) * 3, (1.0,) * 3, auxiliary_weight=0.25
    )
    found = loss(of, data)
    assert found.value == pytest.approx(
        float(found.logs["main"] + 0.25 * found.logs["auxiliary"]), rel=1e-6
    )
    assert of.predict(PARAMS, {}, data, key=jax.random.key(0)).shape == (2, 16, 16)


def test_label_maps_are_cut_to_the_logits_of_a_network_without_padding():
    maps = np.arange(36).reshape(1, 6, 6)
    np.testing.assert_array_equal(cut_to(maps, np.zeros((1, 2, 2, 5))), maps[:, 2:4, 2:4])


def test_predictions_and_their_metric():
    data = batch() | {"mask": np.array([True, True])}
    predicted = np.asarray(task().predict(PARAMS, {}, data, key=jax.random.key(0)))
    np.testing.assert_array_equal(predicted, data["image"].argmax(-1))
    p = task().probabilities(PARAMS, {}, data)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    value = task().measure(predicted, data).compute()["pixel_accuracy"]
    assert value == (predicted == data["label_map"]).mean()


def test_predictions_are_measured_at_each_label_maps_own_size():
    # The second image is wider than the input, which it fills in part; the third is padding.
    sizes = [(16, 16), (30, 61), None]
    rng = np.random.default_rng(1)
    data = batch(rows=3) | {"mask": np.array([True, True, False])}
    data["truth"] = [None if s is None else rng.integers(0, 3, s).astype(np.uint8) for s in sizes]
    data["truth"][1][:5] = 255
    of = task(full_size=True)
    found = np.asarray(of.predict(PARAMS, {}, data, key=jax.random.key(0)))
    assert found.shape == (3, 16, 16, 3)
    expected = np.zeros((3, 3), int)
    for row, size in ((0, 16), (1, 7)):  # 30 of 61 are 7 of 16 rows
        true = data["truth"][row]
        larger = jax.image.resize(found[row, :size], (*true.shape, 3), "linear", antialias=False)
        kept = true != 255
        pairs = true[kept], np.asarray(larger).argmax(-1)[kept]
        np.add.at(expected, pairs, 1)
    metric = of.measure(found, data)
    np.testing.assert_array_equal(metric.confusion, expected)
    assert metric.images == 2
    with pytest.raises(ValueError, match="logits have the size of its images"):
        of.measure(found[:, 1:-1, 1:-1], data)


@pytest.mark.slow  # the test of the recipe trains, too
def test_learns_eight_images_by_heart():
    rng = np.random.default_rng(0)
    corners = np.kron(rng.integers(0, 2, (8, 2, 2)), np.ones((8, 8), int))
    image = np.repeat(corners[..., None] * 120 + 60, 3, axis=-1).astype(np.uint8)
    data = {"image": image, "label_map": corners.astype(np.int32)}
    model = models.segmenter("unet_small", num_classes=2, widths=(8, 16))
    of = SemanticSegmentation(model, ("dark", "light"), dice=1.0)
    params, state = jax.jit(of.init)(jax.random.key(0), data)
    optimizer = optax.adam(1e-2)
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params, state, opt_state):
        def objective(params):
            found = of.loss(params, state, data, step=jnp.int32(0), key=jax.random.key(1))
            return found.value, found

        grads, found = jax.grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state)
        return optax.apply_updates(params, updates), found.state, opt_state, found.logs

    for _ in range(30):
        params, state, opt_state, logs = step(params, state, opt_state)
    assert logs["pixel_accuracy"] > 0.98


def test_wrong_values_are_errors():
    with pytest.raises(ValueError, match="class_weights must have 3 numbers, one a class, got 2"):
        task(class_weights=(1.0, 2.0))
    with pytest.raises(ValueError, match="one of cross_entropy, dice and focal must be above 0"):
        task(cross_entropy=0.0)
    with pytest.raises(ValueError, match="gamma must be at least 1, got 0.5"):
        task(gamma=0.5)
    with pytest.raises(ValueError, match="class_names must be 2 to 254 names, got 1"):
        SemanticSegmentation(Channels(), ("one",))
