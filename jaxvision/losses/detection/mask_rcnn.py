"""The method of Mask R-CNN: that of Faster R-CNN and the masks of its regions.

Mask R-CNN, He et al. 2017, https://arxiv.org/abs/1703.06870, section 3. Equal to torchvision's.
"""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from jaxvision.losses.detection.fast_rcnn import Regions
from jaxvision.losses.detection.faster_rcnn import FasterRCNNMethod
from jaxvision.ops import ranges
from jaxvision.ops.objects import Objects
from jaxvision.ops.region_masks import cut_masks


@dataclasses.dataclass(frozen=True)
class MaskRCNNMethod(FasterRCNNMethod):
    """A mask of each class, of which that of the region's own class is trained.

    Attributes:
        mask_weight: Factor of the mask term.

    Raises:
        ValueError: If it is negative.
    """

    mask_weight: float = 1.0

    def __post_init__(self) -> None:
        ranges.check(self, "[0, inf)", "mask_weight")

    def drawn(self, regions: Regions) -> Regions:
        """Chooses the regions that show an object, at most the share of these in a sample."""
        method = self.regions
        total = regions.labels.shape[1]
        most = min(max(int(method.samples * method.positive_share), 1), total)
        foreground = regions.valid & (regions.labels > 0)
        # Stable: they keep their order.
        index = jnp.argsort(~foreground, axis=1, stable=True)[:, :most]

        def taken(x: jax.Array) -> jax.Array:
            return jnp.take_along_axis(x, index.reshape(*index.shape, *[1] * (x.ndim - 2)), axis=1)

        chosen = Regions(*map(taken, regions))
        return chosen._replace(valid=chosen.valid & (chosen.labels > 0))

    def targets(self, regions: Regions, objects: Objects, *, side: int) -> jax.Array:
        """Cuts the masks of the regions' objects out: [B, R, side, side] in [0, 1].

        Raises:
            ValueError: If the objects have no masks.
        """
        if objects.masks is None:
            raise ValueError("objects must have masks; use data that has them, with data.masks")

        def of_image(image: tuple[jax.Array, ...]) -> jax.Array:
            masks, boxes, matched = image
            return cut_masks(masks, boxes, matched, side=side)

        return jax.lax.map(of_image, (objects.masks, regions.boxes, regions.matched))

    def mask_loss(self, logits: jax.Array, regions: Regions, targets: jax.Array) -> jax.Array:
        """Mean cross entropy of the pixels of the regions' own classes.

        Args:
            logits: [B, R, M, M, 1 + K].
            regions: Those that `drawn` chose.
            targets: [B, R, M, M] in [0, 1].

        Returns:
            The term [], 0 without regions.
        """
        own = jnp.take_along_axis(logits, regions.labels[..., None, None, None], axis=4)[..., 0]
        losses = optax.sigmoid_binary_cross_entropy(own, targets).mean(axis=(2, 3))
        count = jnp.maximum(regions.valid.sum(), 1)
        return self.mask_weight * jnp.where(regions.valid, losses, 0.0).sum() / count
