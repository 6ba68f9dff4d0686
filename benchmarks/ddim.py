"""Sampling from a diffusion model on a CPU, beside the same network in diffusers.

    pip install torch diffusers
    python benchmarks/ddim.py
    python benchmarks/ddim.py --torch-python=ENVIRONMENT/bin/python --width=128 --turns=1

Both sides make pictures of 32 x 32 by DDIM, with the U-Net of DDPM for CIFAR-10 at another width
(128 is the paper's), with random weights. Each side is a process that waits while the other one
works, and has the same cores; the first turn compiles and does not count. Prints one line of JSON:
parameters, medians in seconds, by the clock and of the processors, and the most memory of each
process in MiB. Where other work is on the machine, threads that wait for each other take much
longer: then compare on one core, by `taskset -c 0`.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import sys
import time
from collections.abc import Callable

from train_step import Side

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIDE = 32


def ours(width: int, count: int, steps: int) -> tuple[Callable[[], None], int]:
    """Returns a function that samples and waits, and the number of parameters."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxvision.models.generative.ddpm_unet import ddpm_unet
    from jaxvision.ops.diffusion import Diffusion
    from jaxvision.tasks.diffusion import ImageDiffusion
    from jaxvision.tasks.generation import row_keys

    widths = (width, 2 * width, 2 * width, 2 * width)
    model = ddpm_unet("ddpm_cifar10", widths=widths)
    task = ImageDiffusion(model, Diffusion(), (SIDE, SIDE), sample_steps=steps)
    params, state = jax.jit(task.init)(jax.random.key(0), {})
    keys = row_keys(jax.random.key(1), jnp.arange(count))
    sample = jax.jit(task.sample)
    labels = np.zeros(count, np.int32)

    def run() -> None:
        jax.block_until_ready(sample(params, state, labels, keys))

    return run, sum(x.size for x in jax.tree.leaves(params))


def theirs(width: int, count: int, steps: int) -> tuple[Callable[[], None], int]:
    """Returns the same for diffusers."""
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=SIDE,
        block_out_channels=(width, 2 * width, 2 * width, 2 * width),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=2,
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    )
    unet = unet.eval().to(memory_format=torch.channels_last)
    pipeline = DDIMPipeline(unet, DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)

    def run() -> None:
        pipeline(batch_size=count, num_inference_steps=steps, output_type="np")

    return run, sum(x.numel() for x in unet.parameters())


def serve(name: str, options: argparse.Namespace) -> None:
    """Samples for every line of the standard input; answers with the seconds of the clock.

    The line `facts` is answered with parameters, memory and processor time instead.
    """
    run, parameters = {"ours": ours, "diffusers": theirs}[name](
        options.width, options.count, options.steps
    )
    print("ready", flush=True)
    used = []
    for line in sys.stdin:
        if line.strip() == "facts":
            peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            processor = round(statistics.median(used[1:]), 2)
            print(json.dumps([parameters, peak, processor]), flush=True)
            continue
        started, before = time.perf_counter(), time.process_time()
        run()
        used.append(time.process_time() - before)
        print(time.perf_counter() - started, flush=True)


def main() -> None:
    """Measures and prints, or is one of the sides."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--width", type=int, default=64, help="channels of the first level")
    parser.add_argument("--count", type=int, default=64, help="pictures at once")
    parser.add_argument("--steps", type=int, default=50, help="calls of the network")
    parser.add_argument("--turns", type=int, default=3, help="of both sides, after a first one")
    parser.add_argument(
        "--torch-python", default=sys.executable, help="an interpreter with PyTorch and diffusers"
    )
    parser.add_argument("--side", choices=("ours", "diffusers"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(options.side, options)
        return
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    environment["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
    shared = [f"--{name}={getattr(options, name)}" for name in ("width", "count", "steps")]
    programs = {"ours": sys.executable, "diffusers": options.torch_python}
    sides = {
        name: Side([program, __file__, f"--side={name}", *shared], environment)
        for name, program in programs.items()
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(options.turns + 1):
        for name, side in sides.items():
            found = side(1)
            print(f"{name} {found[0]:.1f} s", file=sys.stderr, flush=True)
            if turn:
                times[name] += found
    found = {name: json.loads(side.ask("facts")) for name, side in sides.items()}
    for side in sides.values():
        side.close()
    seconds = {name: round(statistics.median(each), 2) for name, each in times.items()}
    facts = {
        fact: {name: each[number] for name, each in found.items()}
        for number, fact in enumerate(("parameters", "peak_mib", "processor_seconds"))
    }
    print(json.dumps({"seconds": seconds, **facts}))


if __name__ == "__main__":
    main()
