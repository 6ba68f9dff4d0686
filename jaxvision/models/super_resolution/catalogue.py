"""Super-resolution networks by their names."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn

from jaxvision.models.super_resolution import discriminator, rrdbnet, srcnn, srresnet, zssr
from jaxvision.models.variant import unknown

# A new family is one row.
_FAMILIES: tuple[tuple[Mapping[str, Any], Callable[..., nn.Module]], ...] = (
    (srcnn.VARIANTS, srcnn.srcnn),
    (srresnet.VARIANTS, srresnet.srresnet),
    (rrdbnet.VARIANTS, rrdbnet.rrdbnet),
    (zssr.VARIANTS, zssr.zssr),
    (discriminator.VARIANTS, discriminator.discriminator),
)

VARIANTS: dict[str, Any] = {
    name: fields for variants, _ in _FAMILIES for name, fields in variants.items()
}


def super_resolution(name: str, **overrides: Any) -> nn.Module:
    """Builds a network from pictures in [0, 1] to larger ones, or a discriminator of pictures.

        model = models.super_resolution("srresnet_x4")
        enlarged = model.apply(variables, pictures, train=False)  # [B, 4 * H, 4 * W, 3]

    SRCNN and ZSSR take pictures that are interpolated to the size of the result.

    Args:
        name: A variant, as `models.variants` lists them.
        **overrides: Fields of the network.

    Raises:
        ValueError: If there is no such network; the message lists similar names.
    """
    for variants, build in _FAMILIES:
        if name in variants:
            return build(name, **overrides)
    raise ValueError(unknown("name", name, VARIANTS))
