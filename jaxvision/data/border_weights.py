"""U-Net's weight map: pixels between objects that nearly touch count more.

Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, equation 2, without the term that
balances the classes, which is the loss's.
"""

import dataclasses

import cv2
import numpy as np

from jaxvision.data.sample import VOID


def border_weights(
    instances: np.ndarray, *, strength: float = 10.0, sigma: float = 5.0
) -> np.ndarray:
    """Computes strength * exp(-(d1 + d2)^2 / (2 sigma^2)).

    d1 and d2 are the distances of a pixel's centre to that of the nearest pixel of the nearest and
    of the second nearest object, 0 inside an object.

    Args:
        instances: Number of the object that each pixel shows, 0 for none [H, W] int.
        strength: w0 of the paper.
        sigma: Of the paper, pixels.

    Returns:
        Weights [H, W] float64; 0 where there are fewer than two objects.
    """
    first, second = nearest_two(instances)
    return strength * np.exp(-((first + second) ** 2) / (2 * sigma**2))


def nearest_two(instances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distances [H, W] float64 to the nearest and the second nearest object.

    Both are infinite where there is no such object.
    """
    first = np.full(instances.shape, np.inf)
    second = first.copy()
    for number in np.unique(instances[instances > 0]):
        others = (instances != number).astype(np.uint8)
        distance = cv2.distanceTransform(others, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        distance = distance.astype(np.float64)
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return first, second


@dataclasses.dataclass(frozen=True)
class BorderWeights:
    """Weights the pixels of a label map by how near two objects are.

    An object is a connected area of one class other than the first, the background.

    Attributes:
        strength: Of the additional weight between two objects that touch.
        sigma: Distance in pixels at which it falls.
    """

    strength: float = 10.0
    sigma: float = 5.0

    def __call__(self, label_map: np.ndarray) -> np.ndarray:
        """Maps classes [H, W] to weights [H, W] float32, 1 far from borders."""
        objects = np.zeros(label_map.shape, np.int32)
        for number in np.unique(label_map):
            if number not in (0, VOID):
                count, areas = cv2.connectedComponents((label_map == number).astype(np.uint8))
                del count
                objects = np.where(areas > 0, areas + objects.max(), objects)
        extra = border_weights(objects, strength=self.strength, sigma=self.sigma)
        return (1 + extra).astype(np.float32)
