"""Where a run's arrays lie: each device computes a share of every batch.

The state lies whole on each of them, or cut into as many parts as there are devices, as ZeRO has it
(Rajbhandari et al. 2019, https://arxiv.org/abs/1910.02054, stage 3) and PyTorch's FSDP (Zhao et al.
2023, https://arxiv.org/abs/2304.11277). Then a program puts the parameters together when it starts
to use them, one message each, and keeps a part of the new ones.
"""

import collections
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

# Maps devices and a tree of arrays or their shapes to the same tree of shardings.
StateSharding = Callable[[Mesh, Any], Any]


def data_mesh(num_devices: int | None = None) -> Mesh:
    """A mesh of one axis, `data`, over the devices of all processes or the first `num_devices`.

    The devices of a process are neighbours, so that it holds neighbouring rows of a batch.

    Raises:
        ValueError: If processes have different numbers of devices.
    """
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    counts = collections.Counter(device.process_index for device in devices)
    if len(set(counts.values())) > 1:
        raise ValueError(
            "every process must have the same number of devices, got "
            + ", ".join(f"{count} in process {process}" for process, count in counts.items())
        )
    return _mesh(devices[:num_devices])


def local_mesh() -> Mesh:
    """A mesh of one axis, `data`, over the devices of this process."""
    return _mesh(jax.local_devices())


def _mesh(devices: Sequence[Any]) -> Mesh:
    # The default axis type is Explicit, under which a plain optax step does not trace.
    return Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))


def num_processes(mesh: Mesh) -> int:
    """The number of processes whose devices are in a mesh."""
    return len({device.process_index for device in mesh.devices.flat})


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


def put_whole(tree: Any, shardings: Any) -> Any:
    """Moves arrays, of which every process has the whole, to the devices.

    Args:
        tree: Numpy arrays.
        shardings: One for all of them, or a tree of them.
    """
    shapes = jax.tree.map(np.shape, tree)
    return jax.make_array_from_process_local_data(shardings, tree, shapes)


def put_key(key: jax.Array, mesh: Mesh) -> jax.Array:
    """Copies a key for random numbers, the same in every process, to every device."""
    if num_processes(mesh) == 1:
        return jax.device_put(key, replicated(mesh))
    # Between processes `device_put` compares the keys each time; and only data can be placed.
    data = put_whole(np.asarray(jax.random.key_data(key)), replicated(mesh))
    return jax.random.wrap_key_data(data)


def put_batch(
    batch: Mapping[str, Any], mesh: Mesh, axis: Callable[[str], int | None] = lambda key: 0
) -> dict[str, Any]:
    """Moves a batch to the devices, but for `truth`, which stays on the host.

    Args:
        batch: Numpy arrays by name. Of those that devices share a process has its rows alone.
        mesh: Devices.
        axis: Axis of each array that they share, or None for a copy each, as a stream says it.

    Raises:
        ValueError: If an axis is missing or its length is not a multiple of the number of devices.
    """
    arrays = {key: value for key, value in batch.items() if key != "truth"}
    axes = {key: axis(key) for key in arrays}
    processes = num_processes(mesh)
    for key, value in arrays.items():
        place = axes[key]
        if place is None:
            continue
        if np.ndim(value) <= place:
            raise ValueError(
                f"{key} has no axis {place} for the devices to share, its shape is "
                f"{np.shape(value)}; the stream's axis({key!r}) must be None for a copy on each"
            )
        if (rows := np.shape(value)[place] * processes) % mesh.size:
            raise ValueError(
                f"batch_size must be a multiple of the number of devices, {mesh.size}, got "
                f"{rows} ({key})"
            )
    shardings = {key: cut(mesh, place) for key, place in axes.items()}
    return jax.make_array_from_process_local_data(shardings, arrays)


def batch_shapes(
    batch: Mapping[str, Any], mesh: Mesh, axis: Callable[[str], int | None] = lambda key: 0
) -> dict[str, jax.ShapeDtypeStruct]:
    """Describes what `put_batch` makes of a batch, that of all processes."""
    processes = num_processes(mesh)
    found = {}
    for key, value in batch.items():
        if key != "truth":
            shape = list(np.shape(value))
            if (place := axis(key)) is not None:
                shape[place] *= processes
            found[key] = jax.ShapeDtypeStruct(tuple(shape), np.asarray(value).dtype)
    return found


def cut_rows(tree: Any, mesh: Mesh, rows: int) -> Any:
    """Lets the devices share what has as many rows as a batch, within a compiled function.

    Args:
        tree: Arrays.
        mesh: Devices.
        rows: Of the whole batch, B; 0 if devices do not share it. Arrays whose first axis is not B
            long are copied to every device.
    """

    def place(x: jax.Array) -> jax.Array:
        shared = bool(rows) and x.ndim > 0 and x.shape[0] == rows
        return jax.lax.with_sharding_constraint(x, cut(mesh) if shared else replicated(mesh))

    return jax.tree.map(place, tree)


def own_rows(tree: Any) -> Any:
    """Returns numpy arrays: of those that `cut_rows` cut, the rows of this process.

    Args:
        tree: Arrays on the devices.
    """

    def parts(x: jax.Array) -> Any:
        if x.is_fully_addressable or x.is_fully_replicated:
            return [x]
        shards = sorted(x.addressable_shards, key=lambda shard: shard.index[0].start or 0)
        return [shard.data for shard in shards]

    leaves, structure = jax.tree.flatten(tree)
    found = jax.device_get([parts(x) for x in leaves])
    joined = [part[0] if len(part) == 1 else np.concatenate(part) for part in found]
    return jax.tree.unflatten(structure, joined)


def readable(tree: Any) -> Any:
    """Returns arrays that this process can read whole; every process must call it."""

    def together(x: Any) -> Any:
        if x.is_fully_addressable:
            return x
        if not x.is_fully_replicated:
            # As a compiled function, since only those reach the devices of other processes.
            x = jax.jit(lambda x: x, out_shardings=replicated(x.sharding.mesh))(x)
        return jax.device_get(x)

    return jax.tree.map(together, tree)


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
