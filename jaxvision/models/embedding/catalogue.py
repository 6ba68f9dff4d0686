"""Networks of metric learning by their names."""

from typing import Any

from flax import linen as nn

from jaxvision.models.embedding import conv4, siamese
from jaxvision.models.variant import unknown

VARIANTS: dict[str, Any] = conv4.VARIANTS | siamese.VARIANTS


def embedding(name: str, **overrides: Any) -> nn.Module:
    """Builds a network from images [B, H, W, C] to embeddings [B, D] in float32.

        encoder = models.embedding("conv4")
        embeddings = encoder.apply(variables, images, train=False)

    A Siamese network embeds by its method `embed`, and maps pairs [B, 2, H, W, C] to logits [B].

    Args:
        name: A variant, as `models.variants` lists them.
        **overrides: Fields of the network.

    Raises:
        ValueError: If there is no such network; the message lists similar names.
    """
    if name in conv4.VARIANTS:
        return conv4.conv4(name, **overrides)
    if name in siamese.VARIANTS:
        return siamese.siamese(name, **overrides)
    raise ValueError(unknown("name", name, VARIANTS))
