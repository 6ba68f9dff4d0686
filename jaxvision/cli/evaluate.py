"""`jaxvision evaluate`: measures a trained run and writes what it is good and bad at.

jaxvision evaluate runs/yolox
jaxvision evaluate runs/yolox --split=test --path=DIR --out=report
jaxvision evaluate runs/yolox --metric=voc07 --tta --nms=soft_gaussian
jaxvision evaluate runs/yolox,runs/retinanet --nms=fusion --out=both
jaxvision evaluate runs/ddpm --judge=runs/lenet_mnist --samples=1000
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxvision.cli.predict import add_nms_flag
from jaxvision.cli.run import load_runs
from jaxvision.train.progress import Progress

_DESCRIPTION = """
Measures a run on a split of its data, or of other data in the same format, prints the metrics and
writes report.html, one page that needs no network, and report.json.
"""


# Of a detector's evaluation.
_OPTIONS = ("metric", "tta", "iou", "nms")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "evaluate", help="measure a trained run and write a report", description=_DESCRIPTION
    )
    parser.add_argument(
        "trained",
        metavar="RUN",
        type=Path,
        help="work directory of the run, or an exported file; of several detectors RUN,RUN,..., "
        "whose boxes are joined, on the data of the first",
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
    group = parser.add_argument_group("detectors; by default as in the run")
    group.add_argument(
        "--metric", choices=("coco", "voc07", "voc10"), help="VOC's AP beside COCO's"
    )
    group.add_argument(
        "--tta",
        action="store_true",
        default=None,
        help="also predict the mirror image and other scales",
    )
    group.add_argument(
        "--iou", type=float, help="the worse of two boxes is dropped if they overlap by more"
    )
    add_nms_flag(group)
    group = parser.add_argument_group("generative models")
    group.add_argument(
        "--judge",
        type=Path,
        help="run of a classifier, or weights of inception_v3 (.pth): FID, IS, precision, recall "
        "and the classes that it finds, of images that the model makes and of those of the split",
    )
    group.add_argument("--samples", type=int, help="images to judge; 1000")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluates; returns the exit code.

    Raises:
        ValueError: If an option is wrong, or the data has a fault.
        OSError: If a file is missing or cannot be written.
    """
    predictor = load_runs(options.trained, options.step, files=True)
    from jaxvision.data.files import write_whole
    from jaxvision.inference.predictor import SPLITS
    from jaxvision.inference.reports.layout import Table, as_html, as_json, as_text

    given = {name: getattr(options, name) for name in _OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    wrong = [f"--{name}" for name in given if name not in predictor.options]
    # A classifier's evaluation has no views.
    if wrong or (given and "metric" not in predictor.options):
        kind = type(predictor).__name__.lower()
        flags = ", ".join(wrong or (f"--{name}" for name in given))
        raise ValueError(f"{options.trained} holds a {kind}, whose evaluation takes no {flags}")
    if predictor.reads != "noise" and (options.judge or options.samples):
        kind = type(predictor).__name__.lower()
        raise ValueError(f"--judge and --samples are for generative models, got a {kind}")
    if options.samples is not None and options.judge is None:
        raise ValueError("--samples needs --judge")
    predictor = predictor.replaced(**given)
    if options.out is None and not options.trained.exists():
        raise ValueError("--out must name a folder for the report on several runs")
    origin = predictor.origin
    if origin is None:
        raise ValueError(f"{options.trained} is not a run, whose data is known")
    role, name = options.split, None
    if role not in SPLITS or not origin.config.data[role]:
        # What the run does not name is the dataset's own word.
        role, name = "test", options.split
    data = predictor.data(role, path=options.path, name=name)
    evaluation = predictor.evaluation(data, options.split, _shown(data))
    if options.judge is not None:
        evaluation.metrics.update(_judged(options, predictor, role))
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


def _judged(options: argparse.Namespace, predictor: Any, role: str) -> dict[str, float]:
    """Compares images that a generative model makes with those of a split."""
    from jaxvision.inference.judge import Judge

    count = 1000 if options.samples is None else options.samples
    judge = Judge(options.judge)
    real = predictor.real_images(role, count, path=options.path)
    return judge.compare(predictor.sample(count), real)


def _shown(data: Any) -> Iterator[Any]:
    """Yields the batches of a stream, with a bar."""
    with Progress(len(data), "batches", stream=sys.stderr) as progress:
        for done, batch in enumerate(data, 1):
            yield batch
            progress(done)
