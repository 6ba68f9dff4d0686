"""`jaxvision demo`: a page in the browser on which a trained run can be tried.

jaxvision demo runs/yolox
jaxvision demo runs/transformer_multi30k --port=8080
"""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jaxvision.cli.run import load_runs

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor

_DESCRIPTION = """
Serves a page on this machine: a picture from a file or the camera with the objects or classes
found in it, with the class of every pixel, or enlarged; a text with its translation, its class or
what follows it; a word with those near it; or the images that a generative model makes. Nothing is
written, and nothing leaves the machine. Ctrl-C ends it.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "demo", help="try a trained run on a page in the browser", description=_DESCRIPTION
    )
    parser.add_argument(
        "trained", metavar="RUN", type=Path, help="work directory of the run, or an exported file"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; %(default)s, which only this machine reaches; 0.0.0.0 for all",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen at, 0 for a free one; %(default)s"
    )
    parser.add_argument(
        "--max-upload", type=float, default=20, help="megabytes of a picture, at most; %(default)s"
    )
    parser.add_argument(
        "--support", help="of a few-shot classifier: folder with a folder of images for each class"
    )
    parser.add_argument(
        "--step", type=int, help="checkpoint to use; by default the best, or else the newest"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C; returns the exit code.

    Raises:
        ValueError: If an option is wrong or the port is in use.
        OSError: If the run is missing.
    """
    if not 0 < options.max_upload < 1e6:
        raise ValueError(f"--max-upload must be above 0 megabytes, got {options.max_upload:g}")
    from jaxvision.inference.demo.kinds import answers
    from jaxvision.inference.demo.requests import is_loopback
    from jaxvision.inference.demo.server import DemoServer

    server = DemoServer(options.host, options.port)
    try:
        predictor = load_runs(options.trained, options.step, files=True)
        facts = {
            "name": options.trained.resolve().name,
            "step": predictor.origin.step if predictor.origin else None,
        }
        if options.support:
            predictor = _supported(predictor, options.support)
        _say(f"compiling {facts['name']}")
        server.start(answers(predictor, int(options.max_upload * 1e6)), facts)
        if not is_loopback(options.host):
            _say(
                f"warning: whoever reaches port {server.port} of this machine can use the model; "
                "there is no password and no encryption"
            )
        print(server.url, flush=True)
        _say("open this page in a browser; Ctrl-C ends the demo")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    finally:
        server.finish()
    return 0


def _supported(predictor: "Predictor", support: str) -> "Predictor":
    if "support" not in predictor.options:
        raise ValueError("--support is for few-shot classifiers; leave it out")
    return predictor.replaced(support=support)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
