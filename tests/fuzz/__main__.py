"""Gives every parser mutated files: python -m tests.fuzz --count=100000 [--parser=coco,pickle]

A parser must raise nothing but its own error, take at most a second and at most 500 MB. What fails
is printed with its number, by which the same input is made again: --seed=0 --first=N --count=1
--save=FILE. The exit code is 1 if anything failed.
"""

import argparse
import multiprocessing
import os
import pathlib
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings

from tests.fuzz.mutations import mutated
from tests.fuzz.parsers import PARSERS

_SECONDS, _BYTES = 1.0, 500_000_000
_STUCK = 30.0  # seconds of processor time after which a process ends
_KINDS = 20  # faults printed for each parser


def make_input(parser: str, seed: int, number: int) -> bytes:
    """Returns the input of a number, always the same."""
    rng = random.Random(f"{parser}/{seed}/{number}")
    return mutated(rng, PARSERS[parser].seeds)


def _peak() -> int:
    """Returns the most memory that the process has used, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _work(parser: str, seed: int, first: int, last: int, at, found) -> None:
    """Reads the inputs of some numbers; `at` says which one is being read."""
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders in C print what they find
    chosen = PARSERS[parser]
    base = _peak()
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder:
        for number in range(first, last):
            at.value = number
            data = make_input(parser, seed, number)
            signal.setitimer(signal.ITIMER_PROF, _STUCK)  # whose signal ends the process
            start = time.process_time()
            try:
                chosen.read(data, pathlib.Path(folder))
            except chosen.errors:
                pass
            except Exception as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{pathlib.Path(frame.filename).name}:{frame.lineno}"
                found.put((number, f"{type(error).__name__} at {place}: {str(error)[:150]}"))
            seconds, used = time.process_time() - start, _peak() - base
            if seconds > _SECONDS:
                found.put((number, f"slow: {seconds:.1f} s"))
            if used > _BYTES:  # which is known of the first alone: another process goes on
                found.put((number, f"large: {used / 1e6:.0f} MB"))
                at.value = number + 1
                return
        at.value = last


def _fast_folder() -> str | None:
    return "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None


def run(parser: str, seed: int, first: int, count: int) -> list[tuple[int, str]]:
    """Reads inputs in processes of their own, and goes on behind one that ends or hangs."""
    context = multiprocessing.get_context("fork")
    faults: list[tuple[int, str]] = []
    last, start = first + count, first
    while start < last:
        at, found = context.Value("q", start), context.SimpleQueue()
        worker = context.Process(target=_work, args=(parser, seed, start, last, at, found))
        worker.start()
        while worker.is_alive():
            worker.join(0.2)
            while not found.empty():
                faults.append(found.get())
        while not found.empty():
            faults.append(found.get())
        start = at.value
        if worker.exitcode:
            start += 1
            faults.append((at.value, f"the process ended with {worker.exitcode}"))
    return faults


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parser", default=",".join(PARSERS), help="names; all by default")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each; %(default)s")
    parser.add_argument("--first", type=int, default=0, help="number of the first; %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="%(default)s")
    parser.add_argument("--save", type=pathlib.Path, help="write the first input to a file")
    options = parser.parse_args()
    failed = 0
    for name in options.parser.split(","):
        if options.save:
            options.save.write_bytes(make_input(name, options.seed, options.first))
        start = time.monotonic()
        faults = run(name, options.seed, options.first, options.count)
        kinds = {re.sub(r"\d+", "#", text): (number, text) for number, text in reversed(faults)}
        seconds = time.monotonic() - start
        print(
            f"{name}: {options.count:,} inputs, {len(faults):,} faults, {seconds:.0f} s", flush=True
        )
        for number, text in list(kinds.values())[:_KINDS]:
            print(f"  {number}: {text}", flush=True)
        failed += len(faults)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
