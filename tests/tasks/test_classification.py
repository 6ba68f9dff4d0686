import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxvision.data.classification import classification_source
from jaxvision.data.classification_examples import classification_eval_example
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.stream import Stream
from jaxvision.models.classifier_output import ClassifierOutput
from jaxvision.tasks.classification import ImageClassification
from jaxvision.train import sharding


class SmallNet(nn.Module):
    """One convolution, statistics, dropout, a head, and on demand a second one for training."""

    num_classes: int
    auxiliary: bool = False
    dropout: float = 0.0

    @nn.compact
    def __call__(self, images, *, train):
        x = nn.Conv(16, (5, 5), strides=(3, 3), name="stem")(images)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, name="norm")(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x.reshape(len(x), -1))
        logits = nn.Dense(self.num_classes, name="head")(x)
        if self.auxiliary and train:
            return ClassifierOutput(logits, (nn.Dense(self.num_classes, name="aux")(x),))
        return logits


def batch_of(source, size):
    example = classification_eval_example(source, (size, size))
    (batch,) = Stream(InOrder(len(source), len(source)), example)
    return batch


def digit_batch(count=20):
    source = classification_source("digits", None, "train", length=count, image_size=20)
    return source.classes, batch_of(source, 20)


def task_of(classes, **options):
    model = SmallNet(len(classes), **options.pop("model", {}))
    return ImageClassification(model, classes, mean=(0.2,) * 3, std=(0.3,) * 3, **options)


def predicted(task, params, state, batch):
    return jax.jit(task.predict)(params, state, batch, key=jax.random.key(0))


def trained(task, batch, steps=60):
    params, state = jax.jit(task.init)(jax.random.key(0), batch)
    optimizer = optax.adam(1e-2)
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params, state, opt_state, count):
        def objective(params):
            key = jax.random.fold_in(jax.random.key(1), count)
            loss = task.loss(params, state, batch, step=count, key=key)
            return loss.value, loss

        grads, loss = jax.grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), loss.state, opt_state

    for i in range(steps):
        params, state, opt_state = step(params, state, opt_state, jnp.int32(i))
    # Statistics of the whole set: enough steps to forget the first ones.
    for _ in range(300):
        state = step(params, state, opt_state, jnp.int32(0))[1]
    return task.measure(jax.device_get(predicted(task, params, state, batch)), batch)


def test_learns_twenty_digits_by_heart():
    classes, batch = digit_batch()
    found = trained(task_of(classes), batch).compute()
    assert found["accuracy"] == 1
    assert found["auc"] == 1


def test_learns_several_labels_by_heart():
    source = classification_source("objects:shapes", None, "train", length=16, image_size=32)
    batch = batch_of(source, 32)
    task = task_of(source.classes, multi_label=True, loss_name="binary_cross_entropy")
    found = trained(task, batch).compute()
    assert found["mAP"] > 0.99
    assert found["subset_accuracy"] > 0.9


@pytest.fixture(scope="module")
def small():
    classes, batch = digit_batch(16)
    task = task_of(classes)
    return task, batch, *jax.jit(task.init)(jax.random.key(0), batch)


def loss_of(task, params, state, batch):
    loss = jax.jit(task.loss)(params, state, batch, step=jnp.int32(0), key=jax.random.key(0))
    return jax.device_get((loss.value, loss.logs, loss.state))


def values_of(task, params, state, batch, seeds):
    loss = jax.jit(task.loss)
    keys = map(jax.random.key, seeds)
    return [float(loss(params, state, batch, step=jnp.int32(0), key=k).value) for k in keys]


def test_loss_is_the_mean_over_the_batch_of_the_normalised_images(small):
    task, batch, params, state = small
    images = (batch["image"] / np.float32(255) - np.float32(0.2)) / np.float32(0.3)
    logits, _ = task.model.apply(
        {"params": params, **state}, images, train=True, mutable=["batch_stats"]
    )
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"]).mean()
    value, logs, _ = loss_of(task, params, state, batch)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(
        logs["accuracy"], (np.asarray(logits).argmax(1) == batch["label"]).mean()
    )


def test_auxiliary_heads_are_initialised_and_weighed(small):
    _, batch, _, _ = small
    task = task_of(small[0].class_names, model=dict(auxiliary=True), auxiliary_weight=0.4)
    params, state = jax.jit(task.init)(jax.random.key(0), batch)
    assert set(params) == {"stem", "norm", "head", "aux"}
    value, logs, _ = loss_of(task, params, state, batch)
    np.testing.assert_allclose(value, logs["main"] + 0.4 * logs["auxiliary"], rtol=1e-6)
    assert predicted(task, params, state, batch).shape == (16, 10)


def test_initialisation_leaves_the_statistics_at_their_start(small):
    _, _, _, state = small
    np.testing.assert_array_equal(state["batch_stats"]["norm"]["mean"], 0)
    np.testing.assert_array_equal(state["batch_stats"]["norm"]["var"], 1)


@pytest.mark.parametrize(
    "options", [dict(mixup=0.2, cutmix=1.0), dict(erase=1.0)], ids=["mixing", "erasing"]
)
def test_mixing_draws_from_the_key(small, options):
    task, batch, params, state = small
    mixed = dataclasses.replace(task, **options)
    plain = loss_of(task, params, state, batch)[0]
    one, again, other = values_of(mixed, params, state, batch, (1, 1, 2))
    assert one == again
    assert one != other
    assert one != plain
    # Predictions are of whole images.
    np.testing.assert_array_equal(
        predicted(mixed, params, state, batch), predicted(task, params, state, batch)
    )


def test_dropout_draws_from_the_key(small):
    _, batch, params, state = small
    task = task_of(small[0].class_names, model=dict(dropout=0.5))
    one, again, other = values_of(task, params, state, batch, (1, 1, 2))
    assert one == again
    assert one != other


def test_class_weights_and_smoothing_reach_the_loss(small):
    task, batch, params, state = small
    plain = loss_of(task, params, state, batch)[0]
    double = dataclasses.replace(task, class_weights=(2.0,) * 10)
    np.testing.assert_allclose(loss_of(double, params, state, batch)[0], 2 * plain, rtol=1e-5)
    smooth = dataclasses.replace(task, label_smoothing=0.1)
    assert loss_of(smooth, params, state, batch)[0] != plain


def test_one_mean_makes_images_grey(small):
    task, batch, _, _ = small
    grey = dataclasses.replace(task, mean=(0.5,), std=(0.25,))
    images = grey.normalize(batch["image"], {})
    assert images.shape == (16, 20, 20, 1)
    expected = (batch["image"].mean(axis=-1) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(images[..., 0], expected, atol=1e-5)


def test_probabilities_sum_to_one_and_of_several_labels_do_not(small):
    task, batch, params, state = small
    found = predicted(task, params, state, batch)
    np.testing.assert_allclose(found.sum(axis=1), np.ones(16), rtol=1e-5)
    several = dataclasses.replace(task, multi_label=True, loss_name="focal")
    logits = task.model.apply(
        {"params": params, **state}, task.normalize(batch["image"], state), train=False
    )
    np.testing.assert_allclose(
        predicted(several, params, state, batch), jax.nn.sigmoid(logits), rtol=1e-4
    )


def test_eight_devices_equal_one(small):
    task, batch, params, state = small
    task = dataclasses.replace(task, erase=0.5)
    one = loss_of(task, params, state, sharding.put_batch(batch, sharding.data_mesh(1)))
    mesh = sharding.data_mesh(8)
    everywhere = jax.device_put((params, state), sharding.replicated(mesh))
    eight = loss_of(task, *everywhere, sharding.put_batch(batch, mesh))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(eight), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(loss_name="hinge"), "loss_name must be one of cross_entropy, focal"),
        (
            dict(multi_label=True),
            "binary_cross_entropy, focal with multi_label, got cross_entropy",
        ),
        (dict(mean=(0.5, 0.5)), "mean and std must have 3 numbers each, or 1"),
        (dict(std=(0.0, 1.0, 1.0)), "std must be above 0"),
        (dict(class_weights=(1.0,)), "class_weights must have 10 numbers, one a class, got 1"),
        (dict(erase=1.5), r"erase must be in \[0, 1\], got 1.5"),
        (dict(mixup=-1.0), "mixup must be at least 0, got -1"),
    ],
)
def test_wrong_options(small, options, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small[0], **options)


def test_images_are_normalised_one_by_one():
    images = np.zeros((2, 2, 2, 3), np.uint8)
    images[0] = np.array([50, 100, 150, 200]).reshape(2, 2, 1)
    images[1] = 77
    stretched = ImageClassification(None, ("a",), mean=(0.0,), std=(1.0,), normalise="min_max")
    found = stretched.normalize(images, {})[..., 0]
    np.testing.assert_allclose(found[0], [[0, 1 / 3], [2 / 3, 1]], atol=1e-6)
    np.testing.assert_array_equal(found[1], 0)
    contrast = dataclasses.replace(stretched, normalise="contrast").normalize(images, {})[..., 0]
    # In values up to 255 the variance is 3125, and 10 is added.
    expected = np.array([[-75, -25], [25, 75]]) / np.sqrt(3125 + 10)
    np.testing.assert_allclose(contrast[0], expected, rtol=1e-4)
    np.testing.assert_allclose(contrast[1], 0, atol=1e-5)
    for name in ("normalise", "initial"):
        with pytest.raises(ValueError, match=f"{name} must be one of empty, .*, got whiten"):
            dataclasses.replace(stretched, **{name: "whiten"})


def test_zca_whitens_after_the_contrast():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 2, 2, 3)).astype(np.uint8)
    task = ImageClassification(None, ("a",), mean=(0.0,), std=(1.0,), normalise="contrast")
    expected = np.asarray(task.normalize(images, {})).reshape(4, 4)
    task = dataclasses.replace(task, normalise="zca")
    mean, matrix = rng.normal(size=4), rng.normal(size=(4, 4))
    state = {"whitening": {"zca": {"mean": jnp.asarray(mean), "matrix": jnp.asarray(matrix)}}}
    found = task.normalize(images, state)
    assert found.shape == (4, 2, 2, 1)
    np.testing.assert_allclose(
        found.reshape(4, 4), (expected - mean) @ matrix, rtol=1e-4, atol=1e-5
    )


def test_zca_is_part_of_the_state_and_training_keeps_it():
    classes, batch = digit_batch(2)
    task = task_of(classes, normalise="zca")
    params, state = task.init(jax.random.key(0), batch)
    values = batch["image"][0].size
    assert state["whitening"]["zca"]["matrix"].shape == (values, values)
    after = task.loss(params, state, batch, step=0, key=jax.random.key(1)).state
    assert after.keys() == state.keys()
    jax.tree.map(np.testing.assert_array_equal, after["whitening"], state["whitening"])
    large = {**batch, "image": np.zeros((1, 65, 65, 3), np.uint8)}
    with pytest.raises(ValueError, match="at most 12,288 .* got 12,675"):
        task.init(jax.random.key(0), large)


def test_kernels_start_orthogonal():
    classes, batch = digit_batch(2)
    params, _ = task_of(classes, initial="orthogonal").init(jax.random.key(0), batch)
    for layer in ("stem", "head"):
        kernel = np.asarray(params[layer]["kernel"])
        singular = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
        np.testing.assert_allclose(singular, 2**0.5, rtol=1e-5)
    assert not params["head"]["bias"].any() and (params["norm"]["scale"] == 1).all()
