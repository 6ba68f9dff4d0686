"""Segmentation networks by their names."""

from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn

from jaxvision.models.segmentation import deconvnet, dilated, fcn, segnet, unet
from jaxvision.models.segmentation.backbone_unet import BackboneUNet
from jaxvision.models.variant import unknown

# A new family is one row.
_FAMILIES: tuple[tuple[Mapping[str, Any], Callable[..., nn.Module]], ...] = (
    (unet.VARIANTS, unet.unet),
    (fcn.VARIANTS, fcn.fcn),
    (dilated.VARIANTS, dilated.dilated),
    (segnet.VARIANTS, segnet.segnet),
    (deconvnet.VARIANTS, deconvnet.deconvnet),
)

VARIANTS: dict[str, Any] = {
    name: fields for variants, _ in _FAMILIES for name, fields in variants.items()
}


def segmenter(
    name: str,
    *,
    num_classes: int | None = None,
    backbone: nn.Module | None = None,
    **overrides: Any,
) -> nn.Module:
    """Builds a network from images [B, H, W, 3] to logits [B, H, W, K] in float32.

        model = models.segmenter("segnet", num_classes=11)
        model = models.segmenter("backbone_unet", backbone=models.backbone("resnet18"))

    Args:
        name: A variant, as `models.variants` lists them, or `backbone_unet`, a U-Net decoder on
            any backbone.
        num_classes: K, by default that of the reference.
        backbone: Network from images to {stride: features}, for those that have one.
        **overrides: Fields of the network.

    Raises:
        ValueError: If there is no such network; the message lists similar names.
    """
    if num_classes is not None:
        overrides["num_classes"] = num_classes
    if backbone is not None:
        overrides["backbone"] = backbone
    if name == "backbone_unet":
        if backbone is None:
            raise ValueError("backbone_unet needs a backbone, as models.backbone('resnet18')")
        return BackboneUNet(**overrides)
    for variants, build in _FAMILIES:
        if name in variants:
            return build(name, **overrides)
    raise ValueError(unknown("name", name, [*VARIANTS, "backbone_unet"]))
