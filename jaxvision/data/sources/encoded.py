"""Images that stay encoded, on disk or in an archive, until they are read."""

from collections.abc import Callable

import numpy as np

from jaxvision.data.image import decode_reduced, image_size
from jaxvision.data.source import Source


class Encoded(Source):
    """A dataset whose images are decoded when they are asked for, and measured by their headers."""

    def __init__(
        self, sizes: np.ndarray, read: Callable[[int], bytes], image_name: Callable[[int], str]
    ) -> None:
        """Takes where the images are.

        Args:
            sizes: Width and height of each [I, 2] int32, zeros where they are not known yet.
            read: Returns an image as it is stored; called from several threads.
            image_name: Path of an image.
        """
        self._sizes, self._read, self._image_name = sizes, read, image_name

    def encoded(self, index: int) -> bytes:
        """Returns an image as it is stored."""
        return self._read(index)

    def name(self, index: int) -> str:
        """Returns the path of an image."""
        return self._image_name(index)

    def size(self, index: int) -> tuple[int, int]:
        """Returns the height and width of an image, read from its header once."""
        # Two threads that do so write the same values.
        if not self._sizes[index].any():
            self._sizes[index] = image_size(self.encoded(index), self.name(index))[::-1]
        width, height = self._sizes[index].tolist()
        return height, width

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Decodes an image; JPEG files at a fraction of their size, if that is asked for."""
        return self.decode(index, self.encoded(index), max_reduction)

    def decode(self, index: int, data: bytes, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Decodes an image that was read already; otherwise as `image`."""
        return decode_reduced(data, self.name(index), max_reduction)
