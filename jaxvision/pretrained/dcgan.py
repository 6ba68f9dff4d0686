"""Weights of DCGAN as https://github.com/pytorch/examples (dcgan) names them."""

from collections.abc import Iterator

import jax
import numpy as np

from jaxvision.models.generative import dcgan
from jaxvision.pretrained.family import Family, Source, Weights
from jaxvision.pretrained.layout import TRANSPOSED_CONV
from jaxvision.pretrained.names import TORCH_LEAVES


def _generator_source(stages: int) -> Source:
    # A list of layers: convolution, norm, ReLU, and so on.
    return Source(
        "pytorch/examples",
        (
            ("^stage{stage}/", "main/{3*stage-3}/"),
            ("^norm{stage}/", "main/{3*stage-2}/"),
            ("^head/", f"main/{3 * stages}/"),
            *TORCH_LEAVES,
        ),
        layouts=((r".*/kernel", TRANSPOSED_CONV),),
    )


def _discriminator_source(stages: int) -> Source:
    # The first convolution has no norm behind it.
    return Source(
        "pytorch/examples",
        (
            ("^stage1/", "main/0/"),
            ("^stage{stage}/", "main/{3*stage-4}/"),
            ("^norm{stage}/", "main/{3*stage-3}/"),
            ("^head/", f"main/{3 * stages - 1}/"),
            *TORCH_LEAVES,
        ),
    )


def generator_sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a generator's weights."""
    return (_generator_source(dcgan.stages(dcgan.dcgan_generator(name).size)),)


def discriminator_sources(name: str) -> tuple[Source, ...]:
    """Returns the names of a discriminator's weights."""
    return (_discriminator_source(dcgan.stages(dcgan.dcgan_discriminator(name).size)),)


def build_generator(name: str, weights: Weights) -> dcgan.DCGANGenerator:
    """Builds the variant with the channels, the width and the noise that the weights have."""
    first, last = weights.get("stage1/kernel"), weights.get("head/kernel")
    if first is None or last is None:
        return dcgan.dcgan_generator(name)
    width, channels = last.shape[:2]
    return dcgan.dcgan_generator(name, latent=len(first), width=width, channels=channels)


def build_discriminator(name: str, weights: Weights) -> dcgan.DCGANDiscriminator:
    """Builds the variant with the width that the weights have."""
    first = weights.get("stage1/kernel")
    fields = {} if first is None else {"width": len(first)}
    return dcgan.dcgan_discriminator(name, **fields)


def latent(weights: Weights) -> int:
    """Returns the length of the noise that the weights are for."""
    kernel = weights.get("stage1/kernel")
    return 100 if kernel is None else len(kernel)


def channels(weights: Weights) -> int:
    """Returns the number of channels of the images that the weights are for."""
    kernel = weights.get("stage1/kernel")
    return 3 if kernel is None else kernel.shape[1]


def noise(side: int, latent: int) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Returns the shape of a generator's input."""
    del side
    return (jax.ShapeDtypeStruct((1, latent), np.float32),)


def _families() -> Iterator[Family]:
    """Yields a family for each size of images."""
    for end, side in (("", 64), ("_32", 32)):
        yield Family(
            (f"dcgan_generator{end}",),
            generator_sources,
            build_generator,
            channels=latent,
            inputs=noise,
        )
        yield Family(
            (f"dcgan_discriminator{end}",),
            discriminator_sources,
            build_discriminator,
            image_side=side,
            channels=channels,
        )


FAMILIES = tuple(_families())
