"""`jaxvision evaluate`: measures a trained run and writes what it is good and bad at.

jaxvision evaluate runs/yolox
jaxvision evaluate runs/yolox --split=test --path=DIR --out=report
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxvision.cli.run import load_run
from jaxvision.train.progress import Progress

_DESCRIPTION = """
Measures a run on a split of its data, or of other data in the same format, prints the metrics and
writes report.html, one page that needs no network, and report.json.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "evaluate", help="measure a trained run and write a report", description=_DESCRIPTION
    )
    parser.add_argument(
        "trained", metavar="RUN", type=Path, help="work directory of the run, or an exported file"
    )
    parser.add_argument(
        "--split",
        default="val",
        help="val, test or train, the data that the run's config names so, or the dataset's own "
        "name of a split; %(default)s",
    )
    parser.add_argument("--path", help="folder of the dataset; by default the run's")
    parser.add_argument(
        "--step", type=int, help="checkpoint to use; by default the best, or else the newest"
    )
    parser.add_argument(
        "--out", type=Path, help="folder to write to; by default RUN/evaluation/<split>"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluates; returns the exit code.

    Raises:
        ValueError: If an option is wrong, or the data has a fault.
        OSError: If a file is missing or cannot be written.
    """
    predictor = load_run(options.trained, options.step, files=True)
    from jaxvision.data.files import write_whole
    from jaxvision.inference.predictor import SPLITS
    from jaxvision.inference.reports.layout import Table, as_html, as_json, as_text

    origin = predictor.origin
    if origin is None:
        raise ValueError(f"{options.trained} is not a run, whose data is known")
    role, name = options.split, None
    if role not in SPLITS or not origin.config.data[role]:
        # What the run does not name is the dataset's own word.
        role, name = "test", options.split
    data = predictor.data(role, path=options.path, name=name)
    evaluation = predictor.evaluation(data, options.split, _shown(data))
    report = predictor.report(evaluation, data)

    # Of a file `model.onnx` into `model/`.
    folder = options.trained.with_suffix("") if options.trained.is_file() else options.trained
    out = options.out or folder / "evaluation" / options.split.replace("/", "_")
    out.mkdir(parents=True, exist_ok=True)
    facts = {
        "run": str(options.trained),
        "step": origin.step,
        "split": options.split,
        "source": origin.config.data.source,
        "path": options.path or origin.config.data.path,
    }
    title = f"Evaluation: {options.trained.resolve().name}, {options.split}"
    where = " ".join(filter(None, (facts["source"], facts["path"])))
    subtitle = f"{options.trained} · step {origin.step:,} · {options.split} of {where}"
    write_whole(out / "report.html", as_html(report, title, subtitle))
    write_whole(out / "report.json", as_json(report, **facts))
    for section in report.sections[:2]:
        for part in section.parts:
            if isinstance(part, Table):
                print(f"{as_text(part)}\n")
    print(f"{report.headline}\nwrote {out / 'report.html'}, {out / 'report.json'}")
    return 0


def _shown(data: Any) -> Iterator[Any]:
    """Yields the batches of a stream, with a bar."""
    with Progress(len(data), "batches", stream=sys.stderr) as progress:
        for done, batch in enumerate(data, 1):
            yield batch
            progress(done)
