"""Where a run's arrays lie: each device computes a share of every batch.

The state lies whole on each of them, or cut into as many parts as there are devices, as ZeRO has it
(Rajbhandari et al. 2019, https://arxiv.org/abs/1910.02054, stage 3) and PyTorch's FSDP (Zhao et al.
2023, https://arxiv.org/abs/2304.11277). Then a program puts the parameters together when it starts
to use them, one message each, and keeps a part of the new ones.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

# Maps devices and a tree of arrays or their shapes to the same tree of shardings.
StateSharding = Callable[[Mesh, Any], Any]


def data_mesh(num_devices: int | None = None) -> Mesh:
    """A mesh of one axis, `data`, over the local devices or the first `num_devices` of them."""
    devices = jax.local_devices()[:num_devices]
    # The default axis type is Explicit, under which a plain optax step does not trace.
    return jax.make_mesh((len(devices),), ("data",), (AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """A copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def cut(mesh: Mesh, axis: int | None = 0) -> NamedSharding:
    """One axis shared by the devices; None: a copy on every device."""
    if axis is None:
        return replicated(mesh)
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, "data"))


def replicated_state(mesh: Mesh, state: Any) -> Any:
    """Every array whole on every device: no device waits for a parameter."""
    return jax.tree.map(lambda _: replicated(mesh), state)


def fsdp_state(mesh: Mesh, state: Any, *, smallest: int = 4096) -> Any:
    """Every array cut over the devices, where a copy on each would take too much memory.

    Of n devices, each holds an n-th of parameters, optimizer's state and average; while a step is
    made, the parameters are whole besides, and so are gradients until they are added up. The cut
    goes through the longest axis that the number of devices divides, the first of several; where
    there is none, the array stays whole.

    Args:
        mesh: Devices.
        state: Arrays or their shapes.
        smallest: Arrays of fewer values stay whole: they would weigh nothing, and cost a message
            each time they are used.
    """

    def place(x: Any) -> NamedSharding:
        axes = [axis for axis, side in enumerate(x.shape) if side % mesh.size == 0]
        if not axes or math.prod(x.shape) < smallest:
            return replicated(mesh)
        return cut(mesh, max(axes, key=lambda axis: x.shape[axis]))

    return jax.tree.map(place, state)


STATE_SHARDINGS: Mapping[str, StateSharding] = {"replicated": replicated_state, "fsdp": fsdp_state}


def state_sharding(name: str) -> StateSharding:
    """Turns a config's `sharding` into a rule.

    Raises:
        ValueError: If there is no such rule.
    """
    if name not in STATE_SHARDINGS:
        raise ValueError(f"sharding must be one of {', '.join(STATE_SHARDINGS)}, got {name}")
    return STATE_SHARDINGS[name]


def whole(variables: Any, mesh: Mesh) -> Any:
    """Puts variables together on every device, within a compiled function.

    Without it XLA may cut activations the way parameters are cut, and send those to and fro.
    """
    return jax.lax.with_sharding_constraint(variables, replicated(mesh))


def put_batch(
    batch: Mapping[str, Any], mesh: Mesh, axis: Callable[[str], int | None] = lambda key: 0
) -> dict[str, Any]:
    """Moves a batch to the devices, but for `truth`, which stays on the host.

    Args:
        batch: Numpy arrays by name.
        mesh: Devices.
        axis: Axis of each array that they share, or None for a copy each, as a stream says it.

    Raises:
        ValueError: If an axis is missing or its length is not a multiple of the number of devices.
    """
    arrays = {key: value for key, value in batch.items() if key != "truth"}
    axes = {key: axis(key) for key in arrays}
    for key, value in arrays.items():
        place = axes[key]
        if place is None:
            continue
        if np.ndim(value) <= place:
            raise ValueError(
                f"{key} has no axis {place} for the devices to share, its shape is "
                f"{np.shape(value)}; the stream's axis({key!r}) must be None for a copy on each"
            )
        if np.shape(value)[place] % mesh.size:
            raise ValueError(
                f"batch_size must be a multiple of the number of devices, {mesh.size}, got "
                f"{np.shape(value)[place]} ({key})"
            )
    return jax.device_put(arrays, {key: cut(mesh, place) for key, place in axes.items()})


def with_constants(batch: Mapping[str, Any], constants: Mapping[str, Any]) -> dict[str, Any]:
    """A batch with the constants of an experiment as further keys.

    Raises:
        ValueError: If a name is that of both.
    """
    if clash := sorted(batch.keys() & constants.keys()):
        raise ValueError(
            f"constants must have other names than the arrays of a batch, both have "
            f"{', '.join(clash)}"
        )
    return {**batch, **constants}
