"""The axes of a reference's tensors and ours, each with its inverse."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """How a tensor holds the values of a variable.

    Attributes:
        load: Maps the reference's tensor to our array.
        export: Maps our array to the reference's tensor; the inverse of `load`.
    """

    load: Callable[[np.ndarray], np.ndarray]
    export: Callable[[np.ndarray], np.ndarray]

    def then(self, further: "Layout") -> "Layout":
        """Returns the layout whose `load` is this one's followed by that of `further`."""
        return Layout(
            lambda tensor: further.load(self.load(tensor)),
            lambda array: self.export(further.export(array)),
        )


def to_flax_layout(tensor: np.ndarray) -> np.ndarray:
    """Moves the axes of a PyTorch tensor to Flax's: OI(T)HW to (T)HWIO, [out, in] to [in, out]."""
    if tensor.ndim >= 4:
        return np.moveaxis(tensor, (1, 0), (-2, -1))
    return tensor.T if tensor.ndim == 2 else tensor


def to_torch_layout(array: np.ndarray) -> np.ndarray:
    """Moves the axes of a Flax array to PyTorch's: (T)HWIO to OI(T)HW, [in, out] to [out, in]."""
    if array.ndim >= 4:
        return np.moveaxis(array, (-2, -1), (1, 0))
    return array.T if array.ndim == 2 else array


SAME = Layout(lambda tensor: tensor, lambda array: array)
TORCH = Layout(to_flax_layout, to_torch_layout)
# Of PyTorch's ConvTranspose2d, [in, out, k, k], and ours, [k, k, in, out].
TRANSPOSED_CONV = Layout(
    lambda tensor: tensor.transpose(2, 3, 0, 1), lambda array: array.transpose(2, 3, 0, 1)
)


def flattened(side: int) -> Layout:
    """Layout of the kernel of the dense layer that follows a flattened map.

    PyTorch flattens maps [C, H, W] and has kernels [features, C * side * side]; we flatten
    [H, W, C] and have kernels [side * side * C, features].

    Args:
        side: Height and width of the map.
    """

    def load(tensor: np.ndarray) -> np.ndarray:
        by_position = tensor.reshape(len(tensor), -1, side, side)
        return by_position.transpose(2, 3, 1, 0).reshape(-1, len(tensor))

    def export(array: np.ndarray) -> np.ndarray:
        by_position = array.reshape(side, side, -1, array.shape[-1])
        return by_position.transpose(3, 2, 0, 1).reshape(array.shape[-1], -1)

    return Layout(load, export)


def dense_as_conv(side: int) -> Layout:
    """Layout of the kernel of a dense layer that the reference has as a convolution.

    Args:
        side: Height and width of its filter, and of the map that we flatten before the layer.
    """

    def load(tensor: np.ndarray) -> np.ndarray:
        return to_flax_layout(tensor).reshape(-1, len(tensor))

    def export(array: np.ndarray) -> np.ndarray:
        return to_torch_layout(array.reshape(side, side, -1, array.shape[-1]))

    return Layout(load, export)


def _reverse_input_channels(array: np.ndarray) -> np.ndarray:
    height, width, _, features = array.shape
    by_pixel = array.reshape(height, width, -1, 3, features)
    return by_pixel[:, :, :, ::-1].reshape(array.shape)


# The kernel of a stem that takes BGR images, where ours takes RGB. Its inputs may be several pixels
# of three channels each, as behind `space_to_depth`.
BGR_STEM = TORCH.then(Layout(_reverse_input_channels, _reverse_input_channels))


def _swap_input_halves(array: np.ndarray) -> np.ndarray:
    return np.roll(array, array.shape[2] // 2, axis=2)


# A kernel [k, k, in, out] whose input is two halves in the other order.
SWAPPED_HALVES = Layout(_swap_input_halves, _swap_input_halves)
