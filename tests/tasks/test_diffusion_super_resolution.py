import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxvision.layers.bicubic import enlarge_bicubic
from jaxvision.ops.diffusion import Diffusion
from jaxvision.tasks.diffusion_super_resolution import DiffusionSuperResolution


class Echo(nn.Module):
    """Predicts the interpolated picture, whatever the noise."""

    channels: int = 3
    multiple: int = 8
    interpolates: bool = True

    @nn.compact
    def __call__(self, x, t, *, train):
        assert x.shape[-1] == 6 and not any(side % self.multiple for side in x.shape[1:3])
        return self.param("scale", nn.initializers.ones, ()) * x[..., 3:]


def task(**options):
    process = Diffusion(steps=8, prediction="image", clip=False)
    return DiffusionSuperResolution(Echo(), 4, "l2", process=process, sample_steps=4, **options)


PARAMS = {"scale": jnp.ones(())}


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_samples_are_what_the_network_makes_of_the_interpolated_picture(sampler):
    image = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    of = task(sampler=sampler)
    found = of.predict(PARAMS, {}, {"image": image}, key=jax.random.key(0)).image
    # 20 x 28 pixels are padded to 24 x 32 and cut again.
    assert found.shape == (2, 20, 28, 3)
    expected = enlarge_bicubic(image.astype(jnp.float32), 4)
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("interpolated", [False, True])
def test_loss_compares_with_the_target(interpolated):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (2, 4, 4, 3), np.uint8)
    target = rng.integers(0, 256, (2, 16, 16, 3), np.uint8)
    low = np.asarray(enlarge_bicubic(image.astype(jnp.float32), 4))
    batch = {"image": low if interpolated else image, "target": target}
    params, state = task().init(jax.random.key(0), batch)
    found = task().loss(params, state, batch, step=jnp.int32(0), key=jax.random.key(0))
    expected = np.square((low - target) / 127.5).mean()
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.logs["noise_loss"] > 0


def test_wrong_values_are_errors():
    with pytest.raises(ValueError, match="network must have 3 channels, got 1"):
        DiffusionSuperResolution(Echo(channels=1), 4)
    with pytest.raises(ValueError, match="sampler must be one of ancestral, ddim"):
        task(sampler="euler")
    with pytest.raises(ValueError, match="eta must be in"):
        task(eta=float("nan"))
