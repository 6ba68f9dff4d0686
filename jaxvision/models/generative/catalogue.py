"""Networks that make images, and those that judge them, by their names."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn

from jaxvision.models.generative import dcgan, gan
from jaxvision.models.variant import unknown

_Family = tuple[Mapping[str, Any], Callable[..., nn.Module]]
# A new family is one row in each.
_GENERATORS: tuple[_Family, ...] = (
    (gan.GENERATORS, gan.gan_generator),
    (dcgan.GENERATORS, dcgan.dcgan_generator),
)
_DISCRIMINATORS: tuple[_Family, ...] = (
    (gan.DISCRIMINATORS, gan.gan_discriminator),
    (dcgan.DISCRIMINATORS, dcgan.dcgan_discriminator),
)

GENERATORS = {name: fields for family, _ in _GENERATORS for name, fields in family.items()}
DISCRIMINATORS = {name: fields for family, _ in _DISCRIMINATORS for name, fields in family.items()}


def generator(name: str, **overrides: Any) -> nn.Module:
    """Builds a network from noise [B, latent] to images [B, H, W, C] in [-1, 1].

    Args:
        name: A variant, as `models.variants` lists them.
        **overrides: Fields of the network.

    Raises:
        ValueError: If there is no such network; the message lists similar names.
    """
    return _build(_GENERATORS, name, overrides)


def discriminator(name: str, **overrides: Any) -> nn.Module:
    """Builds a network from images [B, H, W, C] in [-1, 1] to logits [B].

    Args:
        name: A variant, as `models.variants` lists them.
        **overrides: Fields of the network.

    Raises:
        ValueError: If there is no such network; the message lists similar names.
    """
    return _build(_DISCRIMINATORS, name, overrides)


def _build(families: tuple[_Family, ...], name: str, overrides: Mapping[str, Any]) -> nn.Module:
    for variants, build in families:
        if name in variants:
            return build(name, **overrides)
    raise ValueError(unknown("name", name, [name for variants, _ in families for name in variants]))
