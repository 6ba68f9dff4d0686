"""`jaxvision export`: a trained run as a file for other runtimes.

jaxvision export runs/yolox --out=yolox.onnx
jaxvision export runs/yolox --out=yolox_int8.onnx --precision=int8 --pictures=photos/
jaxvision export runs/yolox --format=stablehlo --nms --out=yolox.stablehlo
"""

import argparse
from pathlib import Path

from jaxvision.cli.run import load_run

_DESCRIPTION = """
Writes the best checkpoint of a run as one file: ONNX for onnxruntime, OpenVINO, TensorRT and
phones, StableHLO for JAX without this library, safetensors for weights with their config, or a
SavedModel where TensorFlow is installed. Batches may have any length. Before the file is there, it
is run and compared with the model; one that computes something else is an error. Needs the extra
export.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "export", help="write a run as ONNX, StableHLO or safetensors", description=_DESCRIPTION
    )
    parser.add_argument("trained", metavar="RUN", type=Path, help="work directory of the run")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--format",
        help="onnx, stablehlo, safetensors or saved_model; by default by the ending of --out",
    )
    parser.add_argument(
        "--step", type=int, help="checkpoint to use; by default the best, or else the newest"
    )
    parser.add_argument(
        "--nms",
        action="store_true",
        help="a detector's file also drops boxes that overlap, with the run's options",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="of an ONNX file: float32, float16 or int8; %(default)s",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        nargs="+",
        help="files or folders of pictures that int8 is calibrated on, about 100",
    )
    parser.add_argument(
        "--names",
        default="own",
        help="of weights in a safetensors file: own, which jaxvision.load reads, or reference; "
        "%(default)s",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exports; returns the exit code.

    Raises:
        ValueError: If an option is wrong, or the file does not compute what the model does.
        OSError: If the file exists or cannot be written.
        ImportError: If the extra is not installed.
    """
    predictor = load_run(options.trained, options.step)
    written = predictor.export(
        options.out,
        format=options.format,
        nms=options.nms,
        precision=options.precision,
        pictures=options.pictures,
        names=options.names,
        overwrite=options.overwrite,
    )
    size = f", {written.path.stat().st_size / 1e6:.1f} MB" if written.path.is_file() else ""
    print(f"wrote {written.path}{size}; {written.agreement}")
    return 0
