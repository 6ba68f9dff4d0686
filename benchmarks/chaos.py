"""Kills a run again and again, and compares where it ends with a run that nobody killed.

    python benchmarks/chaos.py --kills=20 --during_saves=5

A small network learns digits. SIGKILL comes at steps spread at random over the whole run and a
random time later, so also while the process starts or compiles, and, for some of the kills, while a
checkpoint is being written. Every array of the last checkpoint must be equal to the last bit:
parameters, statistics, average, the optimizer's state and the step. The exit code is 1 if not.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

ROOT = pathlib.Path(__file__).parents[1]
EPOCH = 40  # steps
FLAGS = (
    f"--config={ROOT / 'configs/lenet_mnist.py'}:modern",
    f"--config.data.train_images={EPOCH * 8}",
    "--config.data.val_images=64",
    "--config.batch_size=8",
    "--config.ema.decay=0.99",
    "--config.log_every=1",
    "--config.eval.epochs=15.0",
)


def main() -> int:
    """Runs both, prints what happened, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--during_saves", type=int, default=5, help="of the kills")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--save_every", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        run = Run(pathlib.Path(folder), options.epochs, options.save_every)
        started = time.monotonic()
        run.start("straight").wait()
        print(f"straight run: {time.monotonic() - started:.0f} s", flush=True)
        kills = ["save"] * options.during_saves
        kills += ["step"] * (options.kills - options.during_saves)
        rng.shuffle(kills)
        last = EPOCH * options.epochs
        at = sorted(rng.integers(1, last - options.save_every, len(kills)).tolist())
        for number, (kind, step) in enumerate(zip(kills, at, strict=True), 1):
            print(f"kill {number}: {run.kill(kind, step, rng)}", flush=True)
        if run.start("killed").wait():
            print("the last start failed")
            return 1
        states = [run.final(name) for name in ("straight", "killed")]
    return compare(*states)


def compare(straight: Any, killed: Any) -> int:
    """Compares two states to the last bit; returns the exit code."""
    names = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_flatten_with_path(straight)[0]
    ]
    pairs = zip(names, jax.tree.leaves(straight), jax.tree.leaves(killed), strict=True)
    differ = [n for n, x, y in pairs if np.asarray(x).tobytes() != np.asarray(y).tobytes()]
    size = sum(np.asarray(x).nbytes for x in jax.tree.leaves(straight))
    print(f"{len(names)} arrays of {size:,} bytes, {len(differ)} differ {differ[:5] or ''}")
    return int(bool(differ))


class Run:
    """The two runs, in folders `straight` and `killed`."""

    def __init__(self, folder: pathlib.Path, epochs: int, save_every: int) -> None:
        self._folder = folder
        self._flags = (f"--config.epochs={epochs}", f"--config.save_every={save_every}")

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Starts or continues a run; its output goes to `<name>.log`."""
        log = (self._folder / f"{name}.log").open("ab")
        return subprocess.Popen(
            [
                sys.executable,
                ROOT / "train.py",
                *FLAGS,
                *self._flags,
                f"--workdir={self._of(name)}",
            ],
            stdout=log,
            stderr=log,
            env=os.environ
            | {"JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": str(self._folder / "compiled")},
        )

    def kill(self, kind: str, step: int, rng: np.random.Generator) -> str:
        """Starts the run and kills it at or after a step, or while it saves; says when that was."""
        checkpoints = self._of("killed") / "checkpoints"
        process = self.start("killed")
        self._wait(process, lambda: self._step() >= step)
        if kind == "save":
            self._wait(process, lambda: any(checkpoints.glob("*-tmp*")))
        time.sleep(rng.random() * (0.01 if kind == "save" else 0.2))
        unfinished = [p.name for p in checkpoints.glob("*-tmp*")]
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise RuntimeError("the run ended before it was killed; more --epochs make it longer")
        saving = f", while it wrote {', '.join(unfinished)}" if unfinished else ""
        return f"after step {self._step()}{saving}"

    def final(self, name: str) -> Any:
        """Reads every array of the newest checkpoint."""
        steps = (self._of(name) / "checkpoints").iterdir()
        newest = max((p for p in steps if p.name.isdecimal()), key=lambda p: int(p.name))
        with ocp.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(newest / "state")

    def _of(self, name: str) -> pathlib.Path:
        return self._folder / name

    def _step(self) -> int:
        file = self._of("killed") / "metrics.jsonl"
        if not file.exists():
            return 0
        lines = file.read_bytes()[-2000:].split(b"\n")
        return json.loads(lines[-2])["step"] if len(lines) > 1 and lines[-2][:1] == b"{" else 0

    def _wait(self, process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
        while not condition():
            if process.poll() is not None:
                log = (self._folder / "killed.log").read_text()[-2000:]
                raise RuntimeError(f"the run ended by itself: {log}")
            time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main())
