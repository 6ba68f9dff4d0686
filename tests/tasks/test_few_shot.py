"""Few-shot classification on episodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from flax import linen as nn

from jaxvision.data.plans.episodes import Episode
from jaxvision.metrics.few_shot import EpisodeAccuracy
from jaxvision.models.embedding.siamese import Siamese
from jaxvision.tasks.few_shot import LOSSES, FewShot

TRAIN, EVAL = Episode(3, 1, 2), Episode(2, 2, 1)


class Linear(nn.Module):
    """Embeds by one matrix."""

    @nn.compact
    def __call__(self, images, *, train):
        return nn.Dense(4)(images.reshape(len(images), -1))


def task_of(name):
    model = Linear()
    if name == "siamese":
        model = Siamese(widths=(4,), kernels=(2,), embedding=6)
    return FewShot(model, name, TRAIN, (EVAL,), margin=0.5)


def batch_of(episode, count=1, noise=0):
    """Classes are bright in different pixels."""
    rng = np.random.default_rng(0)
    classes = [*np.repeat(range(episode.way), episode.shot)]
    classes += [*np.repeat(range(episode.way), episode.query)]
    images = np.zeros((count, len(classes), 4, 4, 3), np.uint8)
    for e in range(count):
        chosen = rng.permutation(4)[: episode.way]
        images[e, np.arange(len(classes)), chosen[classes]] = 200
    images += rng.integers(0, 20, images.shape).astype(np.uint8)
    return {"image": jnp.asarray(images.reshape(-1, 4, 4, 3))}


@pytest.mark.parametrize("name", quick(LOSSES, "prototypical", "semi_hard", "siamese"))
def test_classes_of_queries_are_learned(name):
    task, batch = task_of(name), batch_of(TRAIN, count=2)
    params, state = jax.jit(task.init)(jax.random.key(0), batch)

    @jax.jit
    def learn(params):
        def step(params, _):
            def objective(params):
                found = task.loss(params, state, batch, step=0, key=jax.random.key(0))
                return found.value, found.logs["accuracy"]

            (value, accuracy), grads = jax.value_and_grad(objective, has_aux=True)(params)
            return jax.tree.map(lambda p, g: p - 0.5 * g, params, grads), (value, accuracy)

        return jax.lax.scan(step, params, None, length=60)

    params, (values, accuracies) = learn(params)
    assert np.isfinite(values).all() and values[-1] <= values[0]
    if name != "siamese":  # it learns too slowly at this rate
        assert values[-1] < 0.7 * values[0] or values[0] < 1e-3
        assert accuracies[-1] == 1.0
    predicted = jax.jit(task.predict)(params, state, batch_of(EVAL), key=None)
    assert predicted.shape == (1,) and 0 <= predicted[0] <= 1


def test_loss_is_the_mean_over_episodes():
    task, batch = task_of("prototypical"), batch_of(TRAIN, count=2)
    params, state = jax.jit(task.init)(jax.random.key(0), batch)
    loss = jax.jit(lambda b: task.loss(params, state, b, step=0, key=jax.random.key(0)).value)
    halves = [loss({"image": batch["image"][i : i + TRAIN.rows]}) for i in (0, TRAIN.rows)]
    np.testing.assert_allclose(loss(batch), np.mean(halves), rtol=1e-5)


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="loss.name must be one of prototypical"):
        FewShot(Linear(), "proto", TRAIN, (EVAL,))
    with pytest.raises(ValueError, match="must be siamese for siamese_koch"):
        FewShot(Linear(), "siamese", TRAIN, (EVAL,))
    with pytest.raises(ValueError, match="must differ in their number of images"):
        FewShot(Linear(), "matching", TRAIN, (EVAL, Episode(3, 1, 1)))
    with pytest.raises(ValueError, match="an episode of 6 images, got 9"):
        task_of("matching").predict({}, {}, batch_of(TRAIN), key=None)


def test_interval_of_the_mean():
    rates = np.array([0.2, 0.6, 1.0, 0.8, 0.4])
    parts = [EpisodeAccuracy.from_model_output(accuracies=part) for part in (rates[:2], rates[2:])]
    found = EpisodeAccuracy.empty().merge(parts[0]).merge(parts[1]).compute()
    np.testing.assert_allclose(found["accuracy"], rates.mean())
    np.testing.assert_allclose(found["interval"], 1.96 * rates.std(ddof=1) / np.sqrt(5))
    assert np.isnan(EpisodeAccuracy.empty().compute()["interval"])
