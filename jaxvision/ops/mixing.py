"""mixup, CutMix and random erasing of a whole batch.

mixup: Zhang et al. 2017, https://arxiv.org/abs/1710.09412. CutMix: Yun et al. 2019,
https://arxiv.org/abs/1905.04899. Random erasing: Zhong et al. 2017,
https://arxiv.org/abs/1708.04896.

Each image is mixed with the one before it in the batch. Batches are shuffled already, and
neighbours are on the same device, while a random permutation would move every image between
devices.
"""

import math

import jax
import jax.numpy as jnp


def mixup(
    key: jax.Array, images: jax.Array, targets: jax.Array, *, alpha: float
) -> tuple[jax.Array, jax.Array]:
    """Blends each image and its target with another one's, all with the same weight.

    Args:
        key: Randomness.
        images: [B, H, W, C].
        targets: Probability of each class [B, K].
        alpha: The weight is drawn from Beta(alpha, alpha).

    Returns:
        Images [B, H, W, C] and targets [B, K].
    """
    kept = jax.random.beta(key, alpha, alpha)
    return blend(images, kept), blend(targets, kept)


def cutmix(
    key: jax.Array, images: jax.Array, targets: jax.Array, *, alpha: float
) -> tuple[jax.Array, jax.Array]:
    """Pastes a rectangle of another image into each image, at the same place in all.

    Targets are blended in proportion to the areas.

    Args:
        key: Randomness.
        images: [B, H, W, C].
        targets: Probability of each class [B, K].
        alpha: The share of the image that is kept is drawn from Beta(alpha, alpha), before the
            rectangle is clipped at the border.

    Returns:
        Images [B, H, W, C] and targets [B, K].
    """
    _, height, width, _ = images.shape
    kept_key, row_key, column_key = jax.random.split(key, 3)
    side = jnp.sqrt(1.0 - jax.random.beta(kept_key, alpha, alpha))
    rows = _interval(jax.random.randint(row_key, (), 0, height), jnp.floor(side * height), height)
    columns = _interval(
        jax.random.randint(column_key, (), 0, width), jnp.floor(side * width), width
    )
    inside = rows[:, None] & columns[None, :]
    kept = 1.0 - inside.mean(dtype=jnp.float32)
    mixed = jnp.where(inside[None, :, :, None], jnp.roll(images, 1, axis=0), images)
    return mixed, blend(targets, kept)


def random_erasing(
    key: jax.Array,
    images: jax.Array,
    *,
    probability: float = 0.25,
    area: tuple[float, float] = (0.02, 1 / 3),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
    tries: int = 10,
) -> jax.Array:
    """Sets a rectangle of some images to zero, which is the mean of normalised ones.

    Args:
        key: Randomness.
        images: [B, H, W, C].
        probability: Share of the images with a rectangle erased.
        area: Smallest and largest area of the rectangle as a share of the image's.
        aspect: Smallest and largest height over width, drawn uniformly in the logarithm.
        tries: Rectangles drawn for an image; the first one that fits is erased, or nothing where
            none fits.

    Returns:
        Images [B, H, W, C].
    """
    batch, height, width, _ = images.shape
    keys = jax.random.split(key, 5)
    areas = (
        height * width * jax.random.uniform(keys[0], (batch, tries), minval=area[0], maxval=area[1])
    )
    aspects = jnp.exp(
        jax.random.uniform(
            keys[1], (batch, tries), minval=math.log(aspect[0]), maxval=math.log(aspect[1])
        )
    )
    tall, wide = jnp.round(jnp.sqrt(areas * aspects)), jnp.round(jnp.sqrt(areas / aspects))
    fits = (tall < height) & (wide < width)
    first = fits.argmax(axis=1)[:, None]
    tall = jnp.take_along_axis(tall, first, axis=1)
    wide = jnp.take_along_axis(wide, first, axis=1)
    top = jnp.floor(jax.random.uniform(keys[2], (batch, 1)) * (height - tall + 1))
    left = jnp.floor(jax.random.uniform(keys[3], (batch, 1)) * (width - wide + 1))
    y, x = jnp.arange(height)[None, :], jnp.arange(width)[None, :]
    rows, columns = (y >= top) & (y < top + tall), (x >= left) & (x < left + wide)
    chosen = jax.random.uniform(keys[4], (batch,)) < probability
    erased = (chosen & fits.any(axis=1))[:, None, None] & rows[:, :, None] & columns[:, None, :]
    return jnp.where(erased[..., None], jnp.zeros((), images.dtype), images)


def blend(x: jax.Array, kept: jax.Array) -> jax.Array:
    """Averages each row [B, ...] with the row before it, with weights `kept` and 1 - `kept`."""
    return kept * x + (1.0 - kept) * jnp.roll(x, 1, axis=0)


def _interval(center: jax.Array, length: jax.Array, size: int) -> jax.Array:
    """Marks `length` of `size` positions around a centre, clipped at both ends: [size] bool."""
    half = jnp.floor(length / 2)
    position = jnp.arange(size)
    return (position >= center - half) & (position < center - half + length)
