"""One process at a time writes to a work directory."""

import contextlib
import os
import pathlib
import socket
import sys
from collections.abc import Iterator

from jaxvision.train.errors import TrainingError

NAME = ".lock"


@contextlib.contextmanager
def locked(workdir: pathlib.Path | None) -> Iterator[None]:
    """Holds the lock of a work directory, which is made if it is missing.

    The system ends the lock with the process, however that ends; the file stays. On systems without
    `fcntl`, as Windows, there is no lock.

    Args:
        workdir: The folder; None: there is nothing to lock.

    Raises:
        TrainingError: If another process holds it.
    """
    if workdir is None or sys.platform == "win32":
        yield
        return
    import fcntl

    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise TrainingError(
                f"{workdir} is in use by another run ({file.read().strip() or 'just started'}); "
                "wait for its end, stop it, or give another folder with --workdir"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
