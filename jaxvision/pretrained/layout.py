"""PyTorch's axes to Flax's."""

import numpy as np


def to_flax_layout(value: np.ndarray) -> np.ndarray:
    """Turns a PyTorch tensor's axes to Flax's: OIHW to HWIO, [out, in] to [in, out]."""
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T if value.ndim == 2 else value


def flattened_to_flax_layout(kernel: np.ndarray, side: int) -> np.ndarray:
    """Reorders the inputs of the dense layer that follows a flattened map.

    PyTorch flattens maps [C, H, W], we flatten [H, W, C].

    Args:
        kernel: Kernel [C * side * side, features] whose inputs are in PyTorch's order.
        side: Height and width of the map.

    Returns:
        Kernel [side * side * C, features] whose inputs are in our order.
    """
    by_position = kernel.reshape(-1, side, side, kernel.shape[-1])
    return by_position.transpose(1, 2, 0, 3).reshape(kernel.shape)
