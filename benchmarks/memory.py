"""Memory of a training on COCO's size: 118,287 images, 860,001 boxes, a JSON of 450 MB.

    python benchmarks/memory.py                 # makes such a dataset in a temporary folder
    python benchmarks/memory.py --path=DIR      # COCO itself, or one that was made before

A dataset that is made has polygons as COCO's has, and one picture under all its names. Prints the
resident memory after opening it and after 200 and 2,000 batches, and the highest before each.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from jaxvision.data.detection import detection_source
from jaxvision.data.detection_examples import detection_train_example
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream

IMAGES, OBJECTS, CATEGORIES = 118_287, 860_001, 80
WIDTH, HEIGHT = 640, 480
SPLIT = "train2017"


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", help="folder of a dataset in COCO's format")
    parser.add_argument("--make", metavar="DIR", help="only make the dataset, and keep it")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def make(folder: str) -> None:
    """Writes a dataset of COCO's size, a few rows at a time."""
    rng = np.random.default_rng(0)
    pictures = os.path.join(folder, SPLIT)
    os.makedirs(pictures)
    os.makedirs(os.path.join(folder, "annotations"))
    noise = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    cv2.imwrite(os.path.join(folder, "picture.jpg"), cv2.resize(noise, (WIDTH, HEIGHT)))
    names = [f"{number * 5 + 9:012}.jpg" for number in range(IMAGES)]
    for name in names:
        os.symlink(os.path.join("..", "picture.jpg"), os.path.join(pictures, name))

    polygons = [_polygon(rng) for _ in range(2000)]
    path = os.path.join(folder, "annotations", f"instances_{SPLIT}.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"info": {"description": "made for measuring"}, "licenses": [], "images": [')
        for number, name in enumerate(names):
            entry = {
                "license": 3,
                "file_name": name,
                "coco_url": f"http://images.cocodataset.org/train2017/{name}",
                "height": HEIGHT,
                "width": WIDTH,
                "date_captured": "2013-11-14 11:18:45",
                "flickr_url": f"http://farm9.staticflickr.com/8186/{number:010}_4bd7a4f2c1_z.jpg",
                "id": number * 5 + 9,
            }
            file.write((", " if number else "") + json.dumps(entry))
        file.write('], "annotations": [')
        for number in range(OBJECTS):
            x, y = rng.integers(0, WIDTH - 100), rng.integers(0, HEIGHT - 100)
            width, height = rng.integers(500, 9000, 2) / 100
            shape = polygons[rng.integers(len(polygons))]
            file.write(
                (", " if number else "")
                + f'{{"segmentation": {shape}, "area": {width * height:.4f}, "iscrowd": '
                f'{int(number % 86 == 0)}, "image_id": {int(rng.integers(IMAGES)) * 5 + 9}, '
                f'"bbox": [{x}, {y}, {width}, {height}], '
                f'"category_id": {int(rng.integers(CATEGORIES)) + 1}, "id": {number + 1}}}'
            )
        categories = [{"id": k + 1, "name": f"class {k}"} for k in range(CATEGORIES)]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def _polygon(rng: np.random.Generator) -> str:
    """Returns one to three outlines, as JSON."""
    outlines = []
    for _ in range(1 + int(rng.random() < 0.1)):
        points = rng.integers(0, 60_000, 2 * int(rng.integers(5, 42))) / 100
        outlines.append(points.tolist())
    return json.dumps(outlines)


def memory() -> tuple[float, float]:
    """Returns the memory that the process holds, and the most it ever held, in MB."""
    with open("/proc/self/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    held, highest = (int(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return held, highest


def show(when: str) -> None:
    """Prints a line."""
    held, highest = memory()
    print(f"{when:<20} {held:6.0f} MB, at most {highest:6.0f} MB", flush=True)


def measure(path: str, options: argparse.Namespace) -> None:
    """Opens a dataset as training does and takes batches."""
    file = os.path.join(path, "annotations", f"instances_{SPLIT}.json")
    print(f"{file}: {os.path.getsize(file) / 1e6:.0f} MB")
    show("before")
    started = time.perf_counter()
    source = detection_source("coco", path, SPLIT)
    show(f"opened in {time.perf_counter() - started:.1f} s")
    size = (options.image_size, options.image_size)
    example = detection_train_example(source, size, mosaic=1.0, mixup=1.0)
    plan = Shuffled(len(source), options.batch_size)
    batches = Stream(plan, example, num_workers=options.threads).batches()
    for total, more in ((200, 200), (2000, 1800)):
        for _ in itertools.islice(batches, more):
            pass
        show(f"{total:,} batches")
    batches.close()


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.make:
        make(options.make)
    elif options.path:
        measure(options.path, options)
    else:
        with tempfile.TemporaryDirectory() as folder:
            # By a process of its own: this one's memory is what is measured.
            command = [sys.executable, __file__, "--make", os.path.join(folder, "coco")]
            subprocess.run(command, check=True)
            measure(os.path.join(folder, "coco"), options)


if __name__ == "__main__":
    main()
