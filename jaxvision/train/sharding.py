"""Data parallelism: every device holds the state and computes a share of each batch."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def data_mesh(num_devices: int | None = None) -> Mesh:
    """A mesh of one axis, `data`, over the local devices or the first `num_devices` of them."""
    devices = jax.local_devices()[:num_devices]
    # The default axis type is Explicit, under which a plain optax step does not trace.
    return jax.make_mesh((len(devices),), ("data",), (AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """A copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The first axis cut over the devices."""
    return NamedSharding(mesh, PartitionSpec("data"))


def put_batch(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, Any]:
    """Moves a batch to the devices, its first axis cut over them.

    Raises:
        ValueError: If the batch size is no multiple of the number of devices.
    """
    size = len(next(iter(batch.values())))
    if size % mesh.size:
        raise ValueError(
            f"batch_size must be a multiple of the number of devices, {mesh.size}, got {size}"
        )
    return jax.device_put(dict(batch), batch_sharding(mesh))
