"""Schedules and single steps against float64 formulas that agree with diffusers' schedulers."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import assert_agrees

from jaxvision.ops.diffusion import PREDICTIONS, Diffusion
from jaxvision.ops.diffusion_sampling import ancestral_sample, ddim_sample, ddim_times

LINEAR = Diffusion()


@pytest.fixture(scope="module")
def case():
    return fill.load_case("diffusion")


def single(*arrays):
    return [jnp.asarray(x, jnp.int32 if x.dtype == np.int64 else jnp.float32) for x in arrays]


def test_tables_match_reference(case):
    of_image, of_noisy = LINEAR.posterior_mean
    tables = dict(
        betas=LINEAR.betas,
        alphas_cumprod=LINEAR.signal,
        posterior_variance=LINEAR.posterior_variance,
        posterior_mean_coef_x0=of_image,
        posterior_mean_coef_xt=of_noisy,
    )
    for name, table in tables.items():
        np.testing.assert_allclose(table, case[name], rtol=1e-9, atol=1e-12)


def test_noise_and_predicted_images_match_reference(case):
    x0, noise, t, x_t, found = single(
        *(case[name] for name in ("x0", "noise", "t", "x_t", "predicted_noise"))
    )
    assert_agrees(LINEAR.noised(x0, noise, t), case["x_t"], 1e-5)
    # At the last time the image is divided by 0.006.
    image, _ = LINEAR.image_and_noise(found, x_t, t, clip=False)
    assert_agrees(image, case["predicted_x0"], 1e-5)
    assert_agrees(LINEAR.image_and_noise(found, x_t, t)[0], case["predicted_x0_clipped"], 1e-5)


@pytest.mark.parametrize("variance", ["large", "small"])
def test_ancestral_steps_match_reference(case, variance):
    found, x_t, t, fresh = single(
        *(case[name] for name in ("predicted_noise", "x_t", "t", "step_noise"))
    )
    step = Diffusion(variance=variance).ancestral_step(found, x_t, t, fresh)
    assert_agrees(step, case[f"step_fixed{variance}"], 1e-5)
    if variance == "large":  # no noise at time 0
        x0 = single(case["x0"])[0]
        exact = Diffusion(prediction="image", clip=False)
        mean = exact.ancestral_step(x0, x_t, t, jnp.zeros_like(x0))
        assert_agrees(mean, case["true_posterior_mean"], 1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_steps_match_reference(case, eta):
    np.testing.assert_array_equal(ddim_times(1000, 20), case["ddim_timesteps"])
    noise, x_t, t, t_next, fresh = single(
        *(case[f"ddim_{name}"] for name in ("noise", "x_t", "t", "t_next", "step_noise"))
    )
    step = Diffusion(clip=False).ddim_step(noise, x_t, t, t_next, fresh, eta=eta)
    assert_agrees(step, case[f"ddim_step_eta{eta}"], 1e-5)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_every_prediction_stands_for_the_same_image_and_noise(schedule, prediction):
    process = Diffusion(steps=100, schedule=schedule, prediction=prediction, clip=False)
    image, noise = (jnp.asarray(x) for x in np.random.default_rng(0).normal(size=(2, 3, 2, 2, 1)))
    t = jnp.array([0, 40, 90])
    noisy = process.noised(image, noise, t)
    found = process.image_and_noise(process.target(image, noise, t), noisy, t)
    np.testing.assert_allclose(found[0], image, atol=2e-3)
    np.testing.assert_allclose(found[1], noise, atol=2e-3)


def test_cosine_schedule_is_that_of_the_paper():
    signal = Diffusion(schedule="cosine").signal
    expected = np.cos((np.array([1, 500]) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    expected /= np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(signal[[0, 499]], expected, rtol=1e-6)
    assert 0 < signal[-1] < 1e-4


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_samplers_find_an_image_that_the_network_knows(sampler):
    process = Diffusion(steps=50, schedule="cosine", prediction="image")
    image = jnp.linspace(-0.9, 0.9, 12).reshape(2, 3, 2, 1)
    keys = jax.random.split(jax.random.key(0), 2)
    noise = jax.random.normal(jax.random.key(1), image.shape)
    if sampler == "ancestral":
        found = ancestral_sample(process, lambda x, t: image, noise, keys)
    else:
        found = ddim_sample(process, lambda x, t: image, noise, keys, steps=10, eta=0.5)
    np.testing.assert_allclose(found, image, atol=1e-5)


def test_an_image_does_not_depend_on_the_others_of_its_batch():
    process = Diffusion(steps=20)
    keys = jax.random.split(jax.random.key(0), 3)
    noise = jax.random.normal(jax.random.key(1), (3, 2, 2, 1))

    def sampled(rows):
        return ancestral_sample(process, lambda x, t: 0.5 * x, noise[rows], keys[rows])

    np.testing.assert_allclose(sampled(np.array([0, 1, 2]))[1:], sampled(np.array([1, 2])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(steps=1), r"steps must be in \[2, 1_000_000\], got 1"),
        (dict(schedule="sigmoid"), "schedule must be one of linear, cosine, got 'sigmoid'"),
        (dict(variance="learned"), "variance must be one of large, small, got 'learned'"),
    ],
)
def test_wrong_options_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        Diffusion(**options)
    with pytest.raises(ValueError, match="between 1 and 1000, got 1001"):
        ddim_times(1000, 1001)
