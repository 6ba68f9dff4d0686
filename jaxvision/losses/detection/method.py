"""What a detection paper adds to its network: priors, loss and decoding."""

from typing import Any, NamedTuple, Protocol

import jax

from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects


class DetectionLoss(NamedTuple):
    """What a method's loss returns.

    Attributes:
        terms: Scalars by name; their sum is minimised.
        logs: Further scalars to show and to record.
        scale: The sum is multiplied by it: the number of images where the authors add up what is
            a mean over the batch.
    """

    terms: dict[str, jax.Array]
    logs: dict[str, jax.Array]
    scale: float = 1.0


class DetectionMethod(Protocol):
    """One paper's targets, loss and decoding; methods are frozen dataclasses.

    `Any` stands for two types on which a method and its networks agree: the network's output, such
    as `DetectorOutput`, and the priors, such as `AnchorPoints` or `Anchors`.
    """

    def priors(self, height: int, width: int) -> Any:
        """Lays out the points or anchor boxes of an image.

        Args:
            height: Of the network's input in pixels.
            width: Of the network's input in pixels.

        Returns:
            A tuple of numpy arrays, constants of the compiled function.
        """
        ...

    def loss(
        self, output: Any, priors: Any, objects: Objects, *, step: jax.Array, key: jax.Array
    ) -> DetectionLoss:
        """Computes the loss of a batch.

        Args:
            output: Raw predictions of the network for B images.
            priors: What `priors` returns for their size.
            objects: Objects [B, N] of the images.
            step: Steps made so far, for losses that change with time.
            key: Randomness of this step, for methods that sample.
        """
        ...

    def decode(self, output: Any, priors: Any) -> Candidates:
        """Turns raw predictions into scored boxes [B, C], before suppression of overlaps.

        The method chooses C and which of its predictions enter.
        """
        ...
