import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxvision.models.generative.ddpm_unet import ddpm_unet
from jaxvision.ops.diffusion import Diffusion
from jaxvision.ops.time_embedding import time_embedding
from jaxvision.tasks.diffusion import ImageDiffusion


class Dense(nn.Module):
    """Two layers in place of a U-Net, which takes seconds to compile."""

    channels: int = 1
    num_classes: int | None = 2

    @nn.compact
    def __call__(self, x, t, labels=None, *, train):
        labels = jnp.full(len(x), 2) if labels is None else labels
        table = nn.Embed(3, 8, name="class_embedding")
        parts = x.reshape(len(x), -1), time_embedding(t, 8), table(labels)
        y = nn.relu(nn.Dense(64)(jnp.concatenate(parts, axis=-1)))
        return nn.Dense(4)(y).reshape(x.shape)


@pytest.fixture(scope="module")
def task():
    return ImageDiffusion(
        model=Dense(),
        process=Diffusion(steps=20, schedule="cosine"),
        image_size=(2, 2),
        class_names=("dark", "bright"),
        sample_steps=5,
    )


def batch(rows=8):
    label = np.arange(rows, dtype=np.int32) % 2
    image = np.broadcast_to((40 + 170 * label)[:, None, None, None], (rows, 2, 2, 3))
    return {"image": image.astype(np.uint8), "label": label, "index": np.arange(rows)}


@pytest.fixture(scope="module")
def trained(task):
    """Parameters that know two images: a dark and a bright one."""
    params, state = jax.jit(task.init)(jax.random.key(0), batch())
    optimizer = optax.adam(1e-2)
    rows = batch(32)

    @jax.jit
    def steps(params):
        def step(carry, number):
            params, moments = carry
            key = jax.random.fold_in(jax.random.key(1), number)
            loss, grads = jax.value_and_grad(
                lambda p: task.loss(p, state, rows, step=number, key=key).value
            )(params)
            updates, moments = optimizer.update(grads, moments)
            return (optax.apply_updates(params, updates), moments), loss

        (params, _), losses = jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(400))
        return params, losses

    params, losses = steps(params)
    assert losses[-10:].mean() < 0.4 * losses[:10].mean()
    return params


def asked(rows=8):
    found = batch(rows)
    del found["image"]
    return {**found, "mask": np.ones(rows, bool)}


def test_samples_are_of_the_class_that_was_asked_for(task, trained):
    guided = dataclasses.replace(task, guidance=2.0)
    predict = jax.jit(guided.predict)
    images = np.asarray(predict(trained, {}, asked(), key=jax.random.key(0)))
    assert images.shape == (8, 2, 2, 1) and images.dtype == np.uint8
    means = images.mean(axis=(1, 2, 3))
    assert means[0::2].max() + 40 < means[1::2].min()
    found = guided.measure(images, asked()).compute()
    assert found["spread"] > 0.1 and 0.3 < found["brightness"] < 0.7


def test_noise_loss_is_measured_on_rows_that_are_no_padding(task, trained):
    rows = {**batch(), "mask": np.arange(8) < 6}
    errors = np.asarray(jax.jit(task.predict)(trained, {}, rows, key=jax.random.key(0)))
    assert errors.shape == (8,)
    measured = task.measure(errors, rows).compute()["noise_loss"]
    assert measured == pytest.approx(errors[:6].mean(), rel=1e-5)


def test_a_dropped_label_is_one_more_class(task):
    """The embedding of a class gets no gradient where all labels are dropped."""
    everything = dataclasses.replace(task, drop_label=1.0)
    params, state = jax.eval_shape(task.init, jax.random.key(0), batch())
    params = jax.tree.map(lambda x: jnp.full(x.shape, 0.1), params)

    @jax.jit
    def gradient(params):
        return jax.grad(
            lambda p: everything.loss(p, state, batch(), step=0, key=jax.random.key(0)).value
        )(params)["class_embedding"]["embedding"]

    rows = np.abs(np.asarray(gradient(params))).sum(axis=1)
    assert (rows[:2] == 0).all() and rows[2] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(class_names=("one",)), "must be built for 1 classes, got num_classes=2"),
        (dict(sampler="heun"), "sampler must be one of ancestral, ddim, got 'heun'"),
        (dict(sample_steps=21), r"sample_steps must be in \[1, 20\], got 21"),
        (dict(drop_label=1.5), r"drop_label must be in \[0, 1\], got 1.5"),
        (dict(guidance=-1.0), "guidance must be at least 0, got -1.0"),
    ],
)
def test_wrong_options_are_errors(task, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(task, **changes)


def test_guidance_needs_classes(task):
    model = task.model.clone(num_classes=None)
    with pytest.raises(ValueError, match="guidance needs a network with classes, got 2.0"):
        dataclasses.replace(task, model=model, class_names=(), guidance=2.0)


def test_images_must_fit_the_levels():
    model = ddpm_unet("ddpm_small")
    inputs = jnp.zeros((1, 6, 6, 1)), jnp.zeros(1)
    with pytest.raises(ValueError, match="must be multiples of 8, got 6 x 6"):
        jax.eval_shape(lambda: model.init(jax.random.key(0), *inputs, train=False))
