"""What predicting pictures costs beside the network, alone and in batches, and onnxruntime.

    python benchmarks/predict.py --path=DIR
    python benchmarks/predict.py --path=DIR --count=20 --cores=0,1

Detects in the JPEG files of a folder with YOLOX-s at 640 pixels, with random weights whose scores
leave 100 boxes a picture: one by one, and in the batches of `jaxvision predict`. Reading, resizing,
decoding, suppression and results are outside of the network, which is timed alone on the same
pictures, as is onnxruntime with the exported model, decoding included. All take turns, on the cores
of `--cores`. Prints medians in milliseconds a picture; needs the extra `export`.
"""

import argparse
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from export import in_turns


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", type=pathlib.Path, required=True, help="folder of JPEG files")
    parser.add_argument("--count", type=int, default=100, help="pictures")
    parser.add_argument("--cores", default="0", help="comma-separated; %(default)s")
    parser.add_argument("--batch", type=int, default=4, help="pictures of a batch; %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="of each, in turns")
    return parser.parse_args()


def detector() -> Any:
    """Builds a YOLOX-s with random weights."""
    from jaxvision.cli.config_file import load
    from jaxvision.inference.detector import Detector

    module = load(pathlib.Path(__file__).parents[1] / "configs" / "yolox.py")
    config = module.get_config("s,voc")
    info = dict(class_names=[f"class {k}" for k in range(80)], class_weights=[], train_images=1)
    task = module.recipe.task(config, info)
    blank = {"image": np.zeros((1, 640, 640, 3), np.uint8)}
    params, state = jax.jit(task.init)(jax.random.key(0), blank)
    transform = module.recipe.eval_transform(config)
    return Detector(task, {"params": params, **state}, transform, threshold=0.0)


def network(made: Any, inputs: list[np.ndarray]) -> Callable[[], None]:
    """Returns a function that computes the raw outputs of the inputs, one by one."""
    task = made.task

    @jax.jit
    def outputs(variables: Any, images: jax.Array) -> Any:
        return task.model.apply(variables, images, train=False)

    def run() -> None:
        for each in inputs:
            jax.block_until_ready(outputs(made.variables, each[None]))

    return run


def onnx(made: Any, inputs: list[np.ndarray], folder: str) -> Callable[[], None]:
    """Returns a function that runs the exported model on the inputs, one by one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    file = made.export(pathlib.Path(folder, "model.onnx")).path
    opened = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    (given,) = opened.get_inputs()

    def all_of_them() -> None:
        for each in inputs:
            opened.run(None, {given.name: each[None]})

    return all_of_them


def main() -> None:
    """Measures and prints."""
    options = parse()
    # Before XLA and onnxruntime count the cores.
    os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    from jaxvision.data.image import read_image
    from jaxvision.inference.views import Views

    files = sorted(options.path.glob("*.jpg"))[: options.count]
    made = detector().replaced(batch_size=1)
    views = Views(made.transform)
    inputs = [views(read_image(str(file)))[0][1] for file in files]
    with tempfile.TemporaryDirectory() as folder:
        runs: dict[str, Callable[[], Any]] = {
            "one by one": lambda: [made(file) for file in files],
            f"in batches of {options.batch}": lambda: made.replaced(batch_size=options.batch)(
                files
            ),
            "the network alone": network(made, inputs),
            "onnxruntime": onnx(made, inputs, folder),
        }
        found = {
            name: tuple(milliseconds / len(files) for milliseconds in each)
            for name, each in in_turns(runs, options.rounds).items()
        }
    for name, (clock, processor) in found.items():
        print(f"{name:22} {clock:7.1f} ms, {processor:7.1f} ms of processor time")
    whole, alone = found["one by one"][1], found["the network alone"][1]
    print(f"outside of the network: {1 - alone / whole:.1%} of the processor time")


if __name__ == "__main__":
    main()
