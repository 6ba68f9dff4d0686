"""Predicts how much of a device's time goes into training when many devices share a batch.

    python docs/scaling.py
    python docs/scaling.py --examples_per_second=resnet50:900 --gbit=200,400

What a step communicates is counted (parameters, layers of BatchNorm), as are its operations; how
fast one device is and what the network does are assumed, unless the flags say what was measured.
Nothing is overlapped with computation, so the prediction is a lower bound where XLA overlaps it.
"""

import argparse
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.recipes import classification, detection

# Variant, side of the images in pixels, examples on each device.
MODELS = (
    ("resnet50", 224, 32),
    ("resnet50", 224, 256),
    ("vit_b_16", 224, 64),
    ("vit_l_16", 224, 64),
    ("yolox_s", 640, 8),
    ("yolox_x", 640, 8),
)
DEVICES_PER_HOST = 8


class Step(NamedTuple):
    """What one device does in a step.

    Attributes:
        operations: Floating-point operations, forward and backward.
        parameters: Trained parameters, float32.
        rounds: Exchanges that wait for one another: one of the gradients, and two a layer of
            BatchNorm, one forth and one back.
    """

    operations: float
    parameters: int
    rounds: int


class Network(NamedTuple):
    """What connects the devices.

    Attributes:
        gbit: Gigabits per second that a host sends, all of its adapters together.
        microseconds: Time of a message from one device to the next.
    """

    gbit: float
    microseconds: float


def count(variant: str, side: int, examples: int) -> Step:
    """Counts what a step does, without compiling or running it."""
    recipe = detection if variant.startswith("yolox") else classification
    config = recipe.defaults()
    config.update(variant=variant, image_size=side, batch_size=examples)
    classes = 80 if recipe is detection else 1000
    info = {"class_names": [str(i) for i in range(classes)], "class_weights": []}
    info |= {"multi_label": False, "train_images": 1_000_000}
    task = recipe.task(config, info)
    batch: dict[str, Any] = {"image": np.zeros((examples, side, side, 3), np.uint8)}
    if recipe is detection:
        shape = (examples, config.data.max_objects)
        batch |= {"boxes": np.zeros((*shape, 4), np.float32), "valid": np.zeros(shape, bool)}
        batch["classes"] = np.zeros(shape, np.int32)
    else:
        batch["label"] = np.zeros(examples, np.int32)
    key = jax.random.key(0)
    params, state = jax.eval_shape(lambda: task.init(key, batch))

    def gradient(params: Any, state: Any, batch: Any) -> Any:
        return jax.grad(
            lambda p: task.loss(p, state, batch, step=jnp.zeros((), jnp.int32), key=key).value
        )(params)

    lowered = jax.jit(gradient).lower(params, state, batch)
    norms = [path for path, _ in jax.tree_util.tree_leaves_with_path(state) if "mean" in str(path)]
    size = sum(x.size for x in jax.tree.leaves(params))
    return Step((lowered.cost_analysis() or {})["flops"], size, 1 + 2 * len(norms))


def efficiency(step: Step, seconds: float, devices: int, network: Network) -> float:
    """Predicts the share of a step in which a device computes.

    Args:
        step: What it does.
        seconds: What its computation takes on one device.
        devices: How many there are, on hosts of `DEVICES_PER_HOST`.
        network: What connects the hosts; within a host messages take no time.
    """
    hosts = devices / DEVICES_PER_HOST
    if hosts <= 1:
        return 1.0
    # A ring passes each value through each host twice, but for its own part: once to add up the
    # parts and once to hand out the sum. Parameters that are cut are handed out and their
    # gradients added up, which is as much.
    values = 2 * (hosts - 1) / hosts * 4 * step.parameters
    sending = values / (network.gbit * 1e9 / 8)
    # Short messages go up a tree and down again.
    waiting = step.rounds * 2 * math.ceil(math.log2(hosts)) * network.microseconds * 1e-6
    return seconds / (seconds + sending + waiting)


def table(options: argparse.Namespace) -> Iterator[str]:
    """Yields the lines of a table in Markdown."""
    measured = dict(pair.split(":") for pair in options.examples_per_second)
    columns = [(devices, gbit) for gbit in options.gbit for devices in options.devices]
    heads = [f"{devices} at {gbit:g}" for devices, gbit in columns]
    first = ["model", "batch a device", "gradients", "exchanges", "computing"]
    yield "| " + " | ".join([*first, *heads]) + " |"
    yield "|" + "---|" * (len(first) + len(heads))
    for variant, side, examples in MODELS:
        step = count(variant, side, examples)
        speed = measured.get(variant)
        seconds = (
            step.operations / (options.tflops * 1e12) if speed is None else examples / float(speed)
        )
        cells = [f"`{variant}`, {side} px", str(examples), f"{4 * step.parameters / 1e6:.0f} MB"]
        cells += [str(step.rounds), f"{seconds * 1e3:.0f} ms"]
        for devices, gbit in columns:
            share = efficiency(step, seconds, devices, Network(gbit, options.microseconds))
            cells.append(f"{share:.0%}")
        yield "| " + " | ".join(cells) + " |"


def main() -> None:
    """Prints the table."""

    def numbers(text: str) -> list[float]:
        return [float(x) for x in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tflops", type=float, default=100.0, help="of one device, sustained")
    parser.add_argument(
        "--examples_per_second",
        type=lambda text: text.split(","),
        default=[],
        help="measured on one device, as resnet50:900,vit_b_16:700, in place of --tflops",
    )
    parser.add_argument("--gbit", type=numbers, default=[25, 100, 400, 3200], help="of a host")
    parser.add_argument("--microseconds", type=float, default=10.0, help="of a message")
    parser.add_argument(
        "--devices", type=lambda text: list(map(int, text.split(","))), default=[64, 1024]
    )
    for line in table(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
