"""`jaxvision bench`: what a network costs on this machine.

jaxvision bench yolox_s
jaxvision bench runs/yolox --batch-size=16 --depth=2
"""

import argparse
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxvision.cli.run import load_run, start_jax

if TYPE_CHECKING:
    from jaxvision.inference.costs import Layer, Measured

_DESCRIPTION = """
Counts the parameters of a network and the floating-point operations for one input, layer by layer,
and measures compile time, latency at batch 1, throughput and memory. A variant is the network
alone, with fresh parameters; a run is all of its prediction, with decoding, suppression or search.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "bench",
        help="parameters, operations, memory and speed of a network",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "network", metavar="RUN|VARIANT", help="work directory of a run, or a name of the catalogue"
    )
    parser.add_argument("--batch-size", type=int, default=8, help="for throughput; %(default)s")
    parser.add_argument("--image-size", type=int, help="side of the input; by default its own")
    parser.add_argument(
        "--depth", type=int, default=2, help="parts of a layer's name told apart; %(default)s"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="to measure each batch size; %(default)s"
    )
    parser.add_argument("--no-measure", action="store_true", help="count only, run nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Counts and measures; returns the exit code.

    Raises:
        ValueError: If an option is wrong.
        FileNotFoundError: If there is no checkpoint.
    """
    for name in ("batch_size", "depth", "image_size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    is_run = os.path.isdir(options.network)
    if is_run and options.image_size is not None:
        raise ValueError("--image-size is for variants: a run has its own size")
    start_jax()
    import jax

    from jaxvision.inference import costs

    if is_run:
        predictor = load_run(Path(options.network))
        apply, inputs, what = predictor.program()
        variables: Any = predictor.variables
    else:
        from jaxvision.inference.networks import network

        found = network(options.network, image_size=options.image_size)
        apply, inputs, what = found.apply, found.inputs, found.what
        variables = jax.eval_shape(found.init, jax.random.key(0))
    layers = costs.layers(apply, variables, inputs(1), depth=options.depth)
    measured = []
    if not options.no_measure:
        if not is_run:
            variables = jax.jit(found.init)(jax.random.key(0))
        for batch in dict.fromkeys((1, options.batch_size)):
            measured.append(costs.measure(apply, variables, inputs(batch), seconds=options.seconds))
    device = f"{jax.device_count()} x {jax.devices()[0].device_kind}, {os.cpu_count()} CPU cores"
    if options.json:
        print(_as_json(options.network, what, device, layers, measured))
    else:
        print(_as_text(options.network, what, device, layers, measured))
    return 0


def _as_json(
    name: str, what: str, device: str, layers: list["Layer"], measured: list["Measured"]
) -> str:
    values = {
        "network": name,
        "input": what,
        "device": device,
        "parameters": sum(layer.parameters for layer in layers),
        "flops": sum(layer.flops for layer in layers),
        "layers": [layer._asdict() for layer in layers],
        "measured": [
            {**one._asdict(), "inputs_per_second": one.batch / one.seconds} for one in measured
        ],
    }
    return json.dumps(values, indent=2)


def _as_text(
    name: str, what: str, device: str, layers: list["Layer"], measured: list["Measured"]
) -> str:
    from jaxvision.inference.reports.layout import Table, as_text

    parameters = sum(layer.parameters for layer in layers)
    flops = sum(layer.flops for layer in layers)
    rows = [
        (
            layer.name or "(no layer)",
            f"{layer.parameters:,}",
            f"{layer.flops / 1e6:,.1f}",
            f"{layer.flops / max(flops, 1):.1%}",
        )
        for layer in layers
    ]
    rows.append(("all", f"{parameters:,}", f"{flops / 1e6:,.1f}", "100.0%"))
    lines = [
        f"{name}, {what}",
        "",
        as_text(Table(("layer", "parameters", "MFLOPs", "share"), rows)),
        "",
        f"parameters  {parameters:,}, {parameters * 4 / 1e6:,.1f} MB in float32",
        f"operations  {flops / 1e9:,.3f} GFLOPs for one input, two for each multiplication",
    ]
    for one in measured:
        memory = "" if one.memory is None else f", memory {one.memory / 1e6:,.0f} MB"
        lines.append(
            f"batch {one.batch:<5} {1000 * one.seconds:,.2f} ms, "
            f"{_rounded(one.batch / one.seconds)} inputs/s{memory}, "
            f"compiled in {one.compile_seconds:.1f} s"
        )
    return "\n".join([*lines, *([f"measured on {device}"] if measured else [])])


def _rounded(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(max(value, 1e-9))))
    return f"{value:,.{digits}f}"
