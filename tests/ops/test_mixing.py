import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.ops.mixing import cutmix, mixup, random_erasing

HEIGHT, WIDTH, CLASSES = 20, 30, 5


def batch(size=4):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(size, HEIGHT, WIDTH, 3)).astype(np.float32)
    return images, np.eye(CLASSES, dtype=np.float32)[np.arange(size) % CLASSES]


def over_keys(function, count):
    images, targets = batch()
    keys = jax.random.split(jax.random.key(0), count)
    return (
        images,
        targets,
        jax.device_get(jax.jit(jax.vmap(lambda key: function(key, images, targets)))(keys)),
    )


def test_mixup_blends_images_and_targets_alike():
    images, targets, (mixed, blended) = over_keys(lambda k, x, y: mixup(k, x, y, alpha=0.4), 200)
    kept = blended[:, 1, 1]  # row 1 is of class 1, the row before it of class 0
    np.testing.assert_allclose(blended[:, 1, 0], 1 - kept, atol=1e-6)
    np.testing.assert_allclose(blended.sum(axis=-1), 1.0, atol=1e-5)
    for one, share in zip(mixed, kept, strict=True):
        expected = share * images + (1 - share) * np.roll(images, 1, axis=0)
        np.testing.assert_allclose(one, expected, atol=1e-5)
    # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
    np.testing.assert_allclose(kept.mean(), 0.5, atol=0.08)
    np.testing.assert_allclose(kept.var(), 1 / (4 * 1.8), atol=0.03)


def test_cutmix_pastes_one_rectangle_and_weighs_by_what_is_left():
    images, targets, (mixed, blended) = over_keys(lambda k, x, y: cutmix(k, x, y, alpha=1.0), 200)
    before = np.roll(images, 1, axis=0)
    shares = []
    for one, target in zip(mixed, blended, strict=True):
        pasted = (one == before).all(axis=-1)
        assert (pasted == pasted[:1]).all()  # the same everywhere
        np.testing.assert_array_equal(one, np.where(pasted[..., None], before, images))
        rows, columns = np.flatnonzero(pasted[0].any(1)), np.flatnonzero(pasted[0].any(0))
        assert pasted[0].sum() == len(rows) * len(columns)  # a rectangle
        if len(rows):
            assert np.ptp(rows) == len(rows) - 1
            assert np.ptp(columns) == len(columns) - 1
        np.testing.assert_allclose(target[1, 1], 1 - pasted[0].mean(), atol=1e-6)
        np.testing.assert_allclose(target[1, 0], pasted[0].mean(), atol=1e-6)
        shares.append(pasted[0].mean())
    # Uniform in [0, 1] before it is cut at the border.
    assert 0.2 < np.mean(shares) < 0.45
    assert np.min(shares) < 0.05
    assert np.max(shares) > 0.7


def test_random_erasing_has_the_areas_and_shapes_stated():
    images = np.ones((400, HEIGHT, WIDTH, 3), np.float32)
    erase = jax.jit(lambda key, x: random_erasing(key, x, probability=0.5))
    out = np.asarray(erase(jax.random.key(1), images))
    erased = (out == 0).all(axis=-1)
    assert ((out == 0) | (out == 1)).all()
    some = erased.any(axis=(1, 2))
    assert 160 < some.sum() < 240
    areas = []
    for mask in erased[some]:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns)
        assert np.ptp(rows) == len(rows) - 1
        assert np.ptp(columns) == len(columns) - 1
        areas.append(mask.mean())
        if min(len(rows), len(columns)) > 3:
            assert 0.2 < len(rows) / len(columns) < 4.5
    assert 0.01 < min(areas) < 0.05
    assert 0.25 < max(areas) < 0.36
    # Different in every image.
    assert len(np.unique(erased[some].reshape(some.sum(), -1), axis=0)) > 100


def test_random_erasing_leaves_an_image_in_which_nothing_fits():
    images = np.ones((8, 1, 40, 3), np.float32)
    out = random_erasing(jax.random.key(0), jnp.asarray(images), probability=1.0)
    np.testing.assert_array_equal(out, images)
