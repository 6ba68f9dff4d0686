"""Joins the processes of a run over several hosts, or several processes of one."""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# After so many seconds without a sign of life a process counts as lost.
_HEARTBEAT = 30


class Processes(NamedTuple):
    """What a command line says of the processes; None where it does not.

    Attributes:
        coordinator: HOST:PORT of process 0.
        num_processes: How many there are.
        process_id: Which one this is, from 0.
        distributed: Whether to join those that the cluster's environment describes.
        connect_seconds: How long to wait for the others.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    distributed: bool | None = None
    connect_seconds: int = 50


def connect(processes: Processes) -> None:
    """Joins the processes of the command line or of the cluster; one alone stays alone.

    Ends the process, with one message, if the others do not come in time.

    Raises:
        ValueError: If the command line's values do not fit together, or jax cannot connect.
    """
    given = {name: getattr(processes, name) for name in Processes._fields[:3]}
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if named and len(named) < 3:
        raise ValueError(
            "--coordinator, --num_processes and --process_id belong together, got only "
            + " and ".join(named)
        )
    if named:
        _check(processes)
    elif processes.distributed is False or not (processes.distributed or several(os.environ)):
        return
    # Here, so that `--help` need not wait for JAX.
    import jax

    from jaxvision.train.processes import report_a_crash

    # The loop takes SIGTERM itself, and agrees on a step with the other processes.
    jax.config.update("jax_enable_preemption_service", False)
    with _limited(processes):
        try:
            jax.distributed.initialize(
                processes.coordinator,
                processes.num_processes,
                processes.process_id,
                # jax itself would end with a crash; `_limited` comes first.
                initialization_timeout=processes.connect_seconds + 30,
                heartbeat_timeout_seconds=_HEARTBEAT,
                cluster_detection_method="deactivate" if named else None,
            )
        except Exception as error:  # whatever the libraries of a cluster raise
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"cannot join the other processes: {reason}; name them by --coordinator=HOST:PORT "
                "--num_processes=N --process_id=I, or start one process with --nodistributed"
            ) from error
    report_a_crash()


def several(environment: Mapping[str, str]) -> bool:
    """Says whether a cluster has started this process together with others.

    Args:
        environment: Variables of the process, as `os.environ`.
    """
    if "SLURM_STEP_NODELIST" in environment:  # started by srun, not in the batch script itself
        tasks = environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS", "1"))
        return int(tasks) > 1
    if "OMPI_COMM_WORLD_SIZE" in environment:
        return int(environment["OMPI_COMM_WORLD_SIZE"]) > 1
    if "KUBERNETES_SERVICE_HOST" in environment and "JOB_COMPLETION_INDEX" in environment:
        return True
    return "," in environment.get("TPU_WORKER_HOSTNAMES", "")


def _check(processes: Processes) -> None:
    host, _, port = str(processes.coordinator).rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"--coordinator must be HOST:PORT, got {processes.coordinator}")
    count, number = processes.num_processes or 0, processes.process_id or 0
    if count < 1:
        raise ValueError(f"--num_processes must be at least 1, got {count}")
    if not 0 <= number < count:
        raise ValueError(f"--process_id must be in [0, {count}), got {number}")


@contextlib.contextmanager
def _limited(processes: Processes) -> Iterator[None]:
    """Ends the process with a message if the block takes longer than `connect_seconds`."""

    def give_up() -> None:
        waited = f"after {processes.connect_seconds} s (--connect_seconds)"
        where = processes.coordinator or "the coordinator that the cluster's environment names"
        if processes.process_id == 0:
            what = f"not all of the {processes.num_processes} processes have come to {where}"
        elif processes.coordinator and not _answers(processes.coordinator):
            what = f"nobody answers at {where}, where process 0 should be"
        else:
            what = f"not all processes have come to {where}"
        alone = "" if processes.coordinator else "; --nodistributed trains alone"
        print(f"error: {what} {waited}{alone}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(processes.connect_seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answers(coordinator: str) -> bool:
    host, _, port = coordinator.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=3):
            return True
    except OSError:
        return False
