"""Training images per second, and memory: mosaic, affine, mixup, HSV, flip, uint8 batches.

    python benchmarks/data.py --path=DIR                     # Pascal VOC layout
    python benchmarks/data.py --path=DIR --memory --batch-size=8

The first line is for one core and no threads, the next ones for 1, 2, ... threads on all cores.
With `--memory`, resident memory after 200 and after 2,000 batches.
"""

import argparse
import itertools
import os
import time

from jaxvision.data.detection import detection_source
from jaxvision.data.detection_examples import detection_train_example
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", required=True, help="folder of the dataset")
    parser.add_argument("--source", default="voc", help="format of the dataset")
    parser.add_argument("--split", default="trainval")
    parser.add_argument("--image-size", type=int, default=640)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="at most this many"
    )
    parser.add_argument("--core", type=int, default=None, help="which core the first line uses")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")
    parser.add_argument("--small", action="store_true", help="nano's and tiny's: no mixup")
    parser.add_argument("--memory", action="store_true", help="memory instead of speed")
    return parser.parse_args()


def stream(options: argparse.Namespace, num_workers: int) -> Stream:
    """Opens the dataset as training does."""
    source = detection_source(options.source, options.path, options.split)
    example = detection_train_example(
        source,
        (options.image_size, options.image_size),
        mosaic=1.0,
        mixup=0.0 if options.small else 1.0,
        mosaic_scale=(0.5, 1.5) if options.small else (0.1, 2.0),
    )
    plan = Shuffled(len(source), options.batch_size)
    return Stream(plan, example, seed=0, num_workers=num_workers)


def speed(options: argparse.Namespace, num_workers: int) -> tuple[float, float]:
    """Returns images per second of the clock and of the processor's time."""
    batches = stream(options, num_workers).batches(0)
    # Threads start, files enter the system's cache, prefetched batches are used up.
    for _ in range(4 + 2 * num_workers):
        next(batches)
    wall, busy, images = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < options.seconds:
        next(batches)
        images += options.batch_size
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    batches.close()
    return images / wall, images / busy


def resident() -> float:
    """Returns the memory that the process holds, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.memory:
        batches = stream(options, options.threads).batches(0)
        for count in (200, 1800):
            for _ in itertools.islice(batches, count):
                pass
            print(f"after {count if count == 200 else 2000:5,} batches: {resident():.0f} MiB")
        batches.close()
        return

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores) if options.core is None else options.core})
    wall, busy = speed(options, 0)
    print(f"one core, no threads: {wall:6.1f} images/s ({busy:.1f} per second of processor time)")
    os.sched_setaffinity(0, cores)
    for threads in range(1, options.threads + 1):
        wall, busy = speed(options, threads)
        print(f"{threads} threads: {wall:6.1f} images/s ({busy:.1f} per second of processor time)")


if __name__ == "__main__":
    main()
