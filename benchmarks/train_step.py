"""A training step on a CPU, beside the same model in PyTorch.

    pip install torch torchvision loguru opencv-python-headless psutil tabulate packaging
    git clone https://github.com/Megvii-BaseDetection/YOLOX
    python benchmarks/train_step.py --megvii=YOLOX --models=yolox_tiny_256,resnet50_224

PyTorch may be in an environment of its own: --torch-python=ENVIRONMENT/bin/python. Each side is a
process that waits while the other one works, has the same cores, and makes whole steps: forward,
backward, optimizer, and the moving average of the weights where the recipe has one. Ours is what
`jaxvision train` runs, with huge pages where it restarts itself for them; PyTorch's is its model
with channels last. Batches are random and the same for both. Prints one line of JSON a model: the
medians in milliseconds, and their ratio, PyTorch's over ours: above 1 we are faster.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Config and its argument, side of the images or tokens of a sentence, batch, and classes or tokens
# of the vocabulary.
MODELS = {
    "yolox_tiny_256": ("yolox", "tiny,voc", 256, 16, 3),
    "yolox_tiny_128": ("yolox", "tiny,shapes", 128, 16, 3),
    "resnet50_224": ("resnet_imagenet", "resnet50", 224, 16, 1000),
    "ssd300": ("ssd", "300,voc", 300, 8, 20),
    "retinanet_512": ("retinanet", "voc", 512, 2, 20),
    "faster_rcnn_512": ("faster_rcnn", "resnet50_fpn,voc", 512, 2, 20),
    "resnet20_32": ("resnet_cifar10", "resnet20", 32, 128, 10),
    "vit_tiny_32": ("vit_cifar10", "short", 32, 64, 10),
    "transformer_tiny": ("transformer_multi30k", "short", 32, 64, 6000),
}
DETECTORS = ("yolox", "ssd", "retinanet", "faster_rcnn")
OBJECTS = 12  # an image


def batch_of(model: str) -> dict[str, np.ndarray]:
    """Returns a random batch.

    It holds image [B, H, W, 3] uint8 and label [B], or boxes and classes, or source and target.
    """
    config, _, side, count, classes = MODELS[model]
    rng = np.random.default_rng(0)
    if config == "transformer_multi30k":
        source, target = rng.integers(10, classes, (2, count, side), np.int32)
        return {"source": source, "target": target, "index": np.arange(count, dtype=np.int32)}
    batch = {
        "image": rng.integers(0, 256, (count, side, side, 3), np.uint8),
        "index": np.arange(count, dtype=np.int32),
    }
    if config not in DETECTORS:
        return batch | {"label": rng.integers(0, classes, count, np.int32)}
    corners = rng.uniform(0, 0.7 * side, (count, OBJECTS, 2))
    sides = rng.uniform(0.05 * side, 0.3 * side, (count, OBJECTS, 2))
    return batch | {
        "boxes": np.concatenate([corners, corners + sides], axis=-1).astype(np.float32),
        "classes": rng.integers(0, classes, (count, OBJECTS), np.int32),
        "valid": np.ones((count, OBJECTS), bool),
    }


def info_of(model: str) -> dict[str, Any]:
    """Returns what our task knows of the data."""
    config, _, _, count, classes = MODELS[model]
    if config == "transformer_multi30k":
        from jaxvision.data.text.tokenizer import SubwordTokenizer

        words = ["".join(word) for word in itertools.product("abcdefghij", repeat=4)]
        return {"tokenizer": SubwordTokenizer.train([" ".join(words)], classes).json()}
    return dict(
        class_names=[str(i) for i in range(classes)],
        class_weights=[],
        train_images=100 * count,
        multi_label=False,
    )


def ours(model: str) -> Callable[[], None]:
    """Returns a function that makes a step of the config and waits for it."""
    import jax

    from jaxvision.cli.config_file import load
    from jaxvision.recipes import wiring
    from jaxvision.train import sharding
    from jaxvision.train.compiled import CompiledStep
    from jaxvision.train.experiment import Experiment
    from jaxvision.train.state import create_state
    from jaxvision.train.step import make_step

    name, argument, side, count, _ = MODELS[model]
    module = load(ROOT / "configs" / f"{name}.py")
    config = module.get_config(argument)
    if name != "transformer_multi30k":
        config.update(image_size=side, batch_size=count)
    info = info_of(model)
    task = module.recipe.task(config, info)
    experiment = Experiment(
        task=task,
        train_data=None,
        eval_data={},
        optimizer=wiring.optimizer(config, lambda step: 1e-4),
        learning_rate=lambda step: 1e-4,
        total_steps=1000,
        ema=wiring.average(config, 1000),
    )
    mesh = sharding.data_mesh(1)
    host_batch = batch_of(model)
    state = create_state(experiment, host_batch, mesh)
    key = jax.device_put(jax.random.key(0), sharding.replicated(mesh))
    step = make_step(task, experiment.optimizer, experiment.ema)
    compiled = CompiledStep(step, mesh)
    batch = sharding.put_batch(host_batch, mesh)
    compiled.prepare(state, batch, key, report=lambda line: None)
    held = [state]

    def run() -> None:
        held[0], logs = compiled(held[0], sharding.put_batch(host_batch, mesh), key)
        jax.block_until_ready((held, logs))

    return run


def serve(step: Callable[[], None]) -> None:
    """Makes a step for every line of the standard input and answers with its milliseconds."""
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        step()
        print(1e3 * (time.perf_counter() - started), flush=True)


class Side:
    """A process that makes steps when it is asked to."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._answer()

    def __call__(self, steps: int) -> list[float]:
        """Makes steps and returns the milliseconds of each."""
        return [float(self.ask()) for _ in range(steps)]

    def ask(self, line: str = "") -> str:
        """Sends a line and returns the answer to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        while line and line.startswith("starting again"):
            line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self._process.args))} ended")
        return line


def compare(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """Lets both sides of a model take turns."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    environment["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
    common = [f"--model={model}", f"--megvii={options.megvii or ''}"]
    sides = {
        "ours": Side([sys.executable, __file__, "--side=ours", *common], environment),
        "torch": Side([options.torch_python, __file__, "--side=torch", *common], environment),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(options.turns + 1):
        for name, side in sides.items():
            found = side(options.steps)
            if turn:  # the first one warms caches up
                times[name] += found
    for side in sides.values():
        side.close()
    ours_ms, torch_ms = (round(statistics.median(times[name]), 1) for name in ("ours", "torch"))
    return dict(model=model, ours_ms=ours_ms, torch_ms=torch_ms, ratio=round(torch_ms / ours_ms, 3))


def main() -> None:
    """Measures and prints, or is one of the sides."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", default="yolox_tiny_256,resnet50_224,yolox_tiny_128")
    parser.add_argument("--megvii", help="checkout of Megvii's YOLOX, for the models of that name")
    parser.add_argument(
        "--torch-python", default=sys.executable, help="an interpreter with PyTorch"
    )
    parser.add_argument("--turns", type=int, default=5, help="of both sides, after a first one")
    parser.add_argument("--steps", type=int, default=3, help="in one turn")
    parser.add_argument("--cores", type=int, help="of each side; by default all")
    parser.add_argument("--side", choices=("ours", "torch"), help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "torch":
        import torch_steps

        serve(torch_steps.step_of(options.model, batch_of(options.model), options.megvii))
    elif options.side == "ours":
        from jaxvision.cli.huge_pages import restart_with_huge_pages

        restart_with_huge_pages()
        serve(ours(options.model))
    else:
        names = options.models.split(",")
        if unknown := sorted(set(names) - MODELS.keys()):
            parser.error(f"--models must be of {', '.join(MODELS)}, got {', '.join(unknown)}")
        if options.megvii is None and any(name.startswith("yolox") for name in names):
            parser.error("models of YOLOX need --megvii=DIR, a checkout of Megvii's YOLOX")
        if options.cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.cores :])
        for name in names:
            print(json.dumps(compare(name, options)), flush=True)


if __name__ == "__main__":
    main()
