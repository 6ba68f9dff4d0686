"""Times checkpoints: what a save takes from training, and what digests add to a restore.

    python benchmarks/checkpoint.py --megabytes=400

The state is of random numbers, in arrays of a few megabytes. A save is timed until training goes
on, and until everything is on the disk, with its digests; a restore with and without comparing the
digests, alternately. Times are medians.
"""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from jaxvision.train import sharding, step_folders
from jaxvision.train.checkpoint import Checkpoints
from jaxvision.train.guard import not_finite
from jaxvision.train.state import TrainState

LAYERS = 64


def main() -> None:
    """Prints one line for each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    state = random_state(options.megabytes)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(pathlib.Path(folder), meta={}, best=None)
        until_training, until_written = [], []
        for step in range(options.repeats):
            started = time.perf_counter()
            checkpoints.save(state.replace(step=state.step + step))
            until_training.append(time.perf_counter() - started)
            checkpoints.wait()
            until_written.append(time.perf_counter() - started)
        step_folder = pathlib.Path(folder) / str(options.repeats - 1)
        size = sum(p.stat().st_size for p in step_folder.rglob("*") if p.is_file())
        plain, verified = [], []
        check = step_folders.check
        for _ in range(options.repeats):
            step_folders.check = lambda folder: None
            plain.append(seconds(lambda: jax.block_until_ready(checkpoints.restore(state))))
            step_folders.check = check
            verified.append(seconds(lambda: jax.block_until_ready(checkpoints.restore(state))))
        looks = [seconds(lambda: not_finite(state)) for _ in range(options.repeats)]
        digests = [seconds(lambda: check(step_folder)) for _ in range(options.repeats)]
        checkpoints.close()
    print(f"{size / 1e6:.0f} MB on the disk")
    show("save, until training goes on", until_training)
    show("save, until it is on the disk", until_written)
    show("looking for NaN before a save", looks)
    show("restore without digests", plain)
    show("restore with digests", verified)
    show("digests alone", digests)
    print(f"ratio {statistics.median(verified) / statistics.median(plain):.2f}")


def random_state(megabytes: int) -> TrainState:
    """Makes a state of random float32 numbers, on the first device."""
    rng = np.random.default_rng(0)
    side = int((megabytes * 1e6 / 4 / LAYERS) ** 0.5)
    params = {
        f"layer{i}": rng.standard_normal((side, side), np.float32).astype(np.float32)
        for i in range(LAYERS)
    }
    step = np.zeros((), np.int32)
    state = TrainState(step=step, params=params, model_state={}, opt_state=(), ema=None)  # pyright: ignore[reportArgumentType]
    return sharding.put_whole(state, sharding.replicated(sharding.data_mesh(1)))


def seconds(work: Callable[[], object]) -> float:
    """Times a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def show(what: str, times: list[float]) -> None:
    """Prints the median and the range of times in seconds."""
    print(f"{what:<32} {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})")


if __name__ == "__main__":
    main()
