"""Tasks of super-resolution: SRCNN's on Y, players in turns, a network for each picture."""

import dataclasses

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import equal

from jaxvision import models
from jaxvision.data.back_projection import back_projected
from jaxvision.data.degradation import Degradation
from jaxvision.data.imresize import upscaled
from jaxvision.data.ycbcr import luma
from jaxvision.losses.perceptual import Perceptual
from jaxvision.ops.eight_fold import of_eight
from jaxvision.tasks.adversarial_super_resolution import AdversarialSuperResolution, params_of
from jaxvision.tasks.super_resolution import SuperResolution
from jaxvision.tasks.zero_shot import OneShot, ZeroShot

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
SRCNN = models.super_resolution("srcnn_915", kernels=(3, 1, 3), features=(4, 4))
SMALL = models.super_resolution("srresnet_x2", blocks=1, features=4)
JUDGE = models.super_resolution("srgan_discriminator", features=2, hidden=4)


def batch_of(size=8, scale=2, count=2):
    low = RNG.integers(0, 256, (count, size, size, 3), np.uint8)
    high = RNG.integers(0, 256, (count, scale * size, scale * size, 3), np.uint8)
    return {"image": low, "target": high, "index": np.arange(count, dtype=np.int32)}


def test_a_network_of_y_leaves_the_colours_to_the_interpolation():
    task = SuperResolution(SRCNN, 2, "l2")
    batch = batch_of()
    params, state = jax.jit(task.init)(KEY, batch)
    found = jax.device_get(jax.jit(task.predict)(params, state, batch, key=KEY))
    assert found.y.shape == (2, 16, 16) and found.image.shape == (2, 16, 16, 3)
    np.testing.assert_allclose(luma(found.image), found.y, atol=0.01)
    bicubic = np.stack([upscaled(x, 2) for x in batch["image"]])
    # Only Y differs: by as much in each channel.
    change = found.image - bicubic
    np.testing.assert_allclose(change, np.repeat(change[..., :1], 3, -1), atol=0.05)


@pytest.mark.slow
def test_loss_of_interpolated_patches_is_that_of_the_small_pictures():
    task = SuperResolution(SRCNN, 2, "l2")
    batch = batch_of()
    params, state = task.init(KEY, batch)
    large = np.stack([upscaled(luma(x.astype(np.float32))[..., None], 2) for x in batch["image"]])
    values = [
        task.loss(params, state, {**batch, "image": x}, step=0, key=KEY).value
        for x in (batch["image"], large)
    ]
    np.testing.assert_allclose(values[0], values[1], rtol=1e-4)
    y, _ = task.restored(params, state, batch)
    truth = luma(batch["target"].astype(np.float32)) / 255
    np.testing.assert_allclose(values[0], np.square(y[..., 0] - truth).mean(), rtol=1e-4)


def test_wrong_scales_and_losses_are_errors():
    with pytest.raises(ValueError, match="scale must be that of the network, 2, got 3"):
        SuperResolution(SMALL, 3)
    with pytest.raises(ValueError, match="loss.name must be one of l1, l2, charbonnier, got mse"):
        SuperResolution(SMALL, 2, "mse")
    with pytest.raises(ValueError, match="scale must be one of 1, 2, 3, 4, 8, got 5"):
        models.super_resolution("srresnet_x2", scale=5).init(
            KEY, np.zeros((1, 4, 4, 3)), train=True
        )


@pytest.fixture(scope="module")
def adversarial():
    """The task, its variables, a batch, and what each player's turn gives."""
    task = AdversarialSuperResolution(
        SMALL, 2, discriminator=JUDGE, adversarial="relativistic_average", adversarial_weight=0.1
    )
    batch = batch_of(size=8)
    params, state = task.init(KEY, batch)

    @jax.jit
    def turn(params, step):
        def objective(params):
            loss = task.loss(params, state, batch, step=step, key=KEY)
            return loss.value, loss

        return jax.grad(objective, has_aux=True)(params)

    return task, params, state, [turn(params, step) for step in (0, 1)]


@pytest.mark.slow
def test_the_player_who_rests_has_neither_gradient_nor_new_statistics(adversarial):
    _, _, state, turns = adversarial
    players = ("discriminator", "generator")
    for (grads, loss), mover, other in zip(turns, players, players[::-1], strict=True):
        largest = {name: max(map(abs_max, jax.tree.leaves(grads[name]))) for name in players}
        assert largest[mover] > 0 and largest[other] == 0
        moved = loss.state["batch_stats"]
        assert equal(moved[other], state["batch_stats"][other])
        assert not equal(moved[mover], state["batch_stats"][mover])


def abs_max(x):
    return float(jnp.abs(x).max())


@pytest.mark.slow
def test_the_generator_enlarges_alone(adversarial):
    task, params, state, _ = adversarial
    batch = batch_of(size=5)
    alone = params_of(params, state, "generator")
    found = task.generator().predict(alone.pop("params"), alone, batch, key=KEY)
    both = task.predict(params, state, batch, key=KEY)
    np.testing.assert_array_equal(found.image, both.image)
    with pytest.raises(ValueError, match="needs a generator of RGB"):
        dataclasses.replace(task, model=SRCNN)


@pytest.mark.slow
def test_features_before_the_activation_have_negative_values():
    shapes = {}
    for activated in (False, True):
        rule = Perceptual("conv2_2", activated=activated)
        images = jnp.asarray(RNG.random((1, 16, 16, 3)), jnp.float32)
        variables = rule.network.init(KEY, images, train=False)
        assert set(variables["params"]) == set(rule.layers())
        features = rule.features(variables, images)
        shapes[activated] = features.shape
        assert (features.min() >= 0) == activated
    assert shapes[False] == shapes[True] == (1, 8, 8, 128)
    assert rule(variables, images, images) == 0
    with pytest.raises(ValueError, match="must be one of conv2_2, conv5_4, got conv9"):
        Perceptual("conv9")


def test_steps_of_zssr_match_reference():
    case = fill.load_case("zssr_steps")
    kernel = case["kernel"]

    def filtered(x):
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="constant")
        rows, columns = x.shape[1:3]
        total = sum(
            kernel[i, j] * padded[:, i : i + rows, j : j + columns]
            for i in range(3)
            for j in range(3)
        )
        return x + 0.1 * total

    x = jnp.asarray(case["upsampled"], jnp.float32)[None]
    median, mean = jax.jit(
        lambda x: (of_eight(filtered, x, median=True)[0], of_eight(filtered, x)[0])
    )(x)
    np.testing.assert_allclose(median, case["median_of_8"], atol=1e-5)
    assert np.abs(mean - case["median_of_8"]).max() > 1e-3
    projected = back_projected(case["median_of_8"], case["lr"], 3)
    np.testing.assert_allclose(projected, case["back_projected_3"], atol=1e-6)
    # The device's: with a network that gives back its input, the interpolation is projected.
    task = OneShot(Same(), 2, degradation=Degradation(2), back_projection=3)
    predict = jax.jit(lambda x: task.predict({}, {}, x, key=KEY))
    found = predict({"image": 255 * case["lr"][None]})
    expected = back_projected(case["upsampled"], case["lr"], 3)
    np.testing.assert_allclose(found.image[0] / 255, expected, atol=1e-5)


class Same:
    """A network that gives back what it gets."""

    interpolates, channels = True, 3

    def apply(self, variables, x, *, train):
        return x


def test_each_picture_has_a_network_of_its_own():
    network = models.super_resolution("zssr", depth=2, features=4)
    task = ZeroShot(network, 2, pictures=3, degradation=Degradation(2), back_projection=0)
    batch = batch_of(count=3)
    large = np.stack([upscaled(x, 2) for x in batch["image"]])
    batch = {**batch, "image": large}
    params, state = jax.jit(task.init)(KEY, batch)

    def value(params):
        part = {name: x[1:2] for name, x in batch.items()}
        return task.loss(params, state, part, step=0, key=KEY).value

    for grad in jax.tree.leaves(jax.jit(jax.grad(value))(params)):
        assert grad.shape[0] == 3 and np.abs(grad[1]).max() > 0
        assert not grad[0].any() and not grad[2].any()
    with pytest.raises(ValueError, match="one kernel for all pictures"):
        dataclasses.replace(task, degradation=Degradation(2, blur=(1.0, 2.0)))
    with pytest.raises(ValueError, match="network of interpolated RGB pictures"):
        dataclasses.replace(task, model=SMALL)
