"""What tasks that make images have in common: the batches that ask for images, and pixels."""

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from jaxvision.tasks.task import Batch, ModelState, Params


@runtime_checkable
class Generator(Protocol):
    """A task whose network makes images."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that may be asked for; () for a network that is not given any."""
        ...

    def sample(
        self, params: Params, state: ModelState, labels: jax.Array, keys: jax.Array
    ) -> jax.Array:
        """Makes images [B, H, W, C] uint8 of the classes [B], from a random key for each [B]."""
        ...


def row_keys(key: jax.Array, index: jax.Array) -> jax.Array:
    """Returns a random key for each row [B], a function of `key` and the row's number alone."""
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(index)


def asks_for_samples(batch: Batch) -> bool:
    """Whether an evaluation batch has no images: it asks for as many as it has rows."""
    return "image" not in batch


def to_signed(images: jax.Array, channels: int) -> jax.Array:
    """Maps images [B, H, W, 3] uint8 to [B, H, W, channels] float32 in [-1, 1].

    One channel is the mean of the three.
    """
    x = images.astype(jnp.float32) / 127.5 - 1.0
    return x.mean(axis=-1, keepdims=True) if channels == 1 else x


def to_bytes(x: jax.Array) -> jax.Array:
    """Maps images in [-1, 1] to uint8, rounded and clipped."""
    return jnp.clip(jnp.round((x + 1.0) * 127.5), 0, 255).astype(jnp.uint8)


def check_channels(channels: Any) -> None:
    """Raises ValueError if images are neither grey nor RGB."""
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 for grey images or 3 for RGB, got {channels}")
