"""`jaxvision push`: uploads a trained run to the Hugging Face Hub.

jaxvision push runs/yolox owner/name
"""

import argparse
import tempfile
from pathlib import Path

from jaxvision.cli.run import load_run, metrics_at

_DESCRIPTION = """
Uploads the best checkpoint of a run to the Hugging Face Hub: its weights as safetensors, its config
without paths, and a model card with metrics, classes and how to load it. Needs the extra hub and a
login, `hf auth login` or HF_TOKEN. Then jaxvision.load("hf://owner/name") and
--config.weights=hf://owner/name read it.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "push", help="upload a run to the Hugging Face Hub", description=_DESCRIPTION
    )
    parser.add_argument("trained", metavar="RUN", type=Path, help="work directory of the run")
    parser.add_argument("name", metavar="OWNER/NAME", help="where to")
    parser.add_argument("--step", type=int, help="checkpoint to upload; by default the best")
    parser.add_argument("--private", action="store_true", help="make a private repository")
    parser.add_argument("--license", default="", help="of the weights, as apache-2.0, for the card")
    parser.add_argument("--out", type=Path, help="write the files to this folder, upload nothing")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Uploads; returns the exit code.

    Raises:
        ValueError: If the name is not of the form owner/name, or the run cannot be read.
        ImportError: If the extra is not installed.
        OSError: If the Hub cannot be reached.
    """
    from jaxvision.pretrained import hub

    name = hub.repository(options.name)
    if options.out is None:
        hub.client()  # before the run is read
    predictor = load_run(options.trained, options.step)
    from jaxvision.inference.package import pack

    origin = predictor.origin
    metrics = metrics_at(options.trained, origin.step if origin else 0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        pack(predictor, folder, metrics, name, options.license)
        if options.out is not None:
            print(f"wrote {folder}: {', '.join(sorted(x.name for x in folder.iterdir()))}")
            return 0
        address = hub.push(folder, name, private=options.private)
    print(f'{address}\nto load it: jaxvision.load("hf://{name}")')
    return 0
