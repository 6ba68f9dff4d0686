"""What ONNX files of a run are worth: their metric in each precision, and their speed beside ours.

    python benchmarks/export.py runs/yolox
    python benchmarks/export.py runs/yolox --pictures=20 --rounds=1

Exports the run in float32, float16 and INT8, calibrated on pictures of its training data, measures
each file on the validation data, and times onnxruntime and this library in turns, decoding without
suppression. Prints a table; needs the extra `export`.
"""

import argparse
import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import jaxvision
from jaxvision.inference.export.options import PRECISIONS
from jaxvision.inference.onnx_runtime import session


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=pathlib.Path, help="work directory of a run on pictures")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--pictures", type=int, default=128, help="that INT8 is calibrated on")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="sizes to time")
    parser.add_argument("--rounds", type=int, default=15, help="of each, in turns")
    return parser.parse_args()


def training_pictures(predictor: Any, count: int) -> list[np.ndarray]:
    """Returns pictures as the network sees them, RGB [H, W, 3] uint8."""
    found = (image for batch in predictor.data("train") for image in batch["image"][batch["mask"]])
    return list(itertools.islice(found, count))


def in_turns(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Times functions that are called one after another.

    Returns:
        Medians of each in milliseconds, of the clock and of all processors.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            taken = time.perf_counter() - started, time.process_time() - used
            if number:  # the first round compiles
                times[name].append((1000 * taken[0], 1000 * taken[1]))
    return {
        name: (statistics.median(x for x, _ in found), statistics.median(x for _, x in found))
        for name, found in times.items()
    }


def main() -> None:
    """Exports, measures and times."""
    options = parse()
    predictor = jaxvision.load(options.run)
    metric = {"detection": "AP", "classification": "accuracy"}[predictor.origin.meta()["recipe"]]
    print(f"model: {metric} {predictor.evaluate()[metric]:.4f}", flush=True)
    program = predictor.served()
    ours = jax.jit(program.apply)
    pictures = training_pictures(predictor, options.pictures)
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in options.precisions:
            file = pathlib.Path(folder, f"{precision}.onnx")
            shown = pictures if precision == "int8" else None
            done = predictor.export(file, precision=precision, pictures=shown)
            value = jaxvision.load(file).evaluate()[metric]
            size = file.stat().st_size / 1e6
            print(f"{precision}: {metric} {value:.4f}, {size:.1f} MB, {done.agreement}", flush=True)
            files[precision] = session(file)
        for count in options.batches:
            (images,) = program.inputs(count)
            runs = {
                "jaxvision": lambda x=images: jax.block_until_ready(ours(predictor.variables, x))
            }
            runs |= {name: lambda f=run, x=images: f(x) for name, run in files.items()}
            found = in_turns(runs, options.rounds)
            times = ", ".join(f"{k} {clock:.1f} ({used:.1f})" for k, (clock, used) in found.items())
            print(f"batch {count}: {times} ms (of processor time)", flush=True)


if __name__ == "__main__":
    main()
