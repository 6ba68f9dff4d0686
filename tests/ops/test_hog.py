import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.hog import gradients, hog

IMAGES = np.random.default_rng(0).uniform(size=(2, 24, 32, 3)).astype(np.float32)


blocks_of_8 = jax.jit(lambda images: hog(images, cell=8))


def test_blocks_are_those_of_scikit_image():
    feature = pytest.importorskip("skimage.feature", reason="the extra proposals")
    found = np.asarray(blocks_of_8(IMAGES))
    assert found.shape == (2, 2, 3, 36)
    for image, blocks in zip(IMAGES, found, strict=True):
        expected = feature.hog(
            image,
            orientations=9,
            pixels_per_cell=(8, 8),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
            channel_axis=-1,
            feature_vector=False,
        )
        np.testing.assert_allclose(blocks, expected.reshape(2, 3, 36), atol=1e-4)


def test_an_edge_votes_for_its_orientation():
    # Brighter to the right, and in the other image downwards: angles 0 and 90 degrees.
    ramp = np.tile(np.arange(16, dtype=np.float32)[None, :, None], (16, 1, 3))
    ramps = np.stack([ramp, ramp.transpose(1, 0, 2)])
    magnitude, angle = map(np.asarray, jax.jit(gradients)(ramps))
    assert (magnitude[0, :, 1:-1] == 2).all() and (magnitude[0, :, 0] == 0).all()
    found = np.asarray(blocks_of_8(ramps))[:, 0, 0].reshape(2, 4, 9)
    assert (found.argmax(axis=-1) == np.array([[0], [4]])).all()
    # Four equal cells, clipped at 0.2 and normalised again.
    np.testing.assert_allclose(found.max(axis=-1), 0.5, atol=1e-3)
    assert angle.shape == (2, 16, 16)


def test_a_grey_image_has_no_votes_and_a_finite_derivative():
    grey = jnp.full((1, 16, 16, 3), 0.5)
    found, slope = jax.jit(jax.value_and_grad(lambda x: jnp.abs(hog(x)).sum()))(grey)
    assert found == 0
    assert np.isfinite(slope).all()
