"""`jaxvision predict`: applies a trained run to pictures, videos or text.

jaxvision predict runs/yolox photos/ holiday.mp4 --out=found --save=json,coco --threshold=0.4
jaxvision predict runs/yolox,runs/retinanet photos/ --nms=fusion
jaxvision predict runs/classify_folder "photos/*.jpg" --save=csv
jaxvision predict runs/transformer_multi30k test.en.gz --out=translated --reference=test.de.gz
jaxvision predict runs/protonet letters/new --support=letters/known
jaxvision predict runs/siamese a.png b.png --verify
jaxvision predict runs/word2vec dog apple --top=5
jaxvision predict runs/lstm "the prince" --length=40 --temperature=0.8
jaxvision predict runs/text_classifier "the soup was not bad" reviews.txt --save=csv
jaxvision predict runs/ddpm --count=64 --seed=1 --ask=3,7 --guidance=3
"""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxvision.cli.run import load_runs

if TYPE_CHECKING:
    from jaxvision.inference.outputs.item import Item
    from jaxvision.inference.predictor import Predictor
    from jaxvision.inference.result import Result

_DESCRIPTION = """
Applies a trained run. For a detector, a classifier or a segmenter, INPUT is a picture, a video, a
folder, a pattern with *, a .txt file with a path on each line, or a number for a camera; drawn
pictures and videos go into --out; a classifier of clips takes a video as one, or a folder of
frames. For a translator, INPUT is a text file with a sentence on each line, .gz or not; without
INPUT it translates lines from a pipe or the keyboard. For vectors of words it is words, or `a:b:c`
for "a is to b as c is to ?", whose nearest words are printed. For a language model it is the
beginning of a text, which is continued; for a classifier of texts it is a text, or a file with one
a line; for a network of graphs a graph's file, and without INPUT the graph of the run. A generative
model of pictures takes none: it makes pictures, and a grid of them. Exit code: 0 if everything was
predicted, 1 if an input could not be read and the others were predicted, 2 for a wrong command
line.
"""
# By name of a predictor's option: what its flag is called.
_FLAGS = {
    "threshold": "--threshold",
    "iou": "--iou",
    "nms": "--nms",
    "class_agnostic": "--class-agnostic",
    "classes": "--classes",
    "tta": "--tta",
    "tile": "--tile",
    "beam_size": "--beam",
    "alpha": "--alpha",
    "guidance": "--guidance",
    "sampler": "--sampler",
    "sample_steps": "--steps",
    "eta": "--eta",
    "support": "--support",
    "top": "--top",
    "length": "--length",
    "temperature": "--temperature",
    "top_k": "--top-k",
    "top_p": "--top-p",
    "stop": "--stop",
    "batch_size": "--batch-size",
}
# Pictures of a batch on a CPU, at most, and the pixels of all of them: YOLOX-s at 640 pixels took
# 0.295 s of processor time a picture one by one, and 0.321 s in batches of 4.
_CPU_BATCH, _CPU_PIXELS = 4, 640 * 640
# Flags of the command alone, by what a predictor reads.
_OWN = {
    "images": ("no_draw", "verify"),
    "clips": ("no_draw",),
    "text": ("reference", "too_long", "attention"),
    "words": (),
    "prompts": ("seed",),
    "texts": (),
    "graphs": (),
    "noise": ("no_draw", "count", "seed", "ask"),
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "predict", help="apply a trained run to pictures, videos or text", description=_DESCRIPTION
    )
    parser.add_argument(
        "trained",
        metavar="RUN",
        type=Path,
        help="work directory of the run, or an exported file; of several detectors RUN,RUN,..., "
        "whose boxes are joined",
    )
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="what to predict")
    parser.add_argument(
        "--out", type=Path, default=Path("predictions"), help="folder to write to; %(default)s"
    )
    parser.add_argument(
        "--save",
        default="",
        help="formats to write, of json (predictions.json), csv (predictions.csv), for a detector "
        "yolo (labels/*.txt) and coco (coco.json), and for a segmenter masks (masks/*.png); "
        "several with commas between them",
    )
    parser.add_argument(
        "--step", type=int, help="checkpoint to use; by default the best, or else the newest"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        help="inputs predicted at a time; by default as in the run, at most 4 pictures on a CPU",
    )
    parser.add_argument(
        "--no-draw", action="store_true", default=None, help="write no pictures and videos"
    )
    group = parser.add_argument_group("models of images")
    group.add_argument(
        "--tta",
        action="store_true",
        default=None,
        help="also predict the mirror image and, but for a classifier, other scales, and merge",
    )
    group.add_argument(
        "--tile",
        type=int,
        help="side of windows in pixels: a detector searches them beside the whole picture, for "
        "small objects in large pictures; a segmenter sees them in its place",
    )
    _add_detector_flags(parser.add_argument_group("detectors"))
    _add_translator_flags(parser.add_argument_group("translators"))
    group = parser.add_argument_group("models of few examples")
    group.add_argument("--support", help="folder with a folder of labelled images for each class")
    group.add_argument(
        "--verify",
        action="store_true",
        default=None,
        help="compare INPUT two by two: are both of one class?",
    )
    _add_sampler_flags(parser.add_argument_group("generative models"))
    group = parser.add_argument_group("vectors of words")
    group.add_argument("--top", type=int, help="nearest words that are printed; 10")
    _add_language_flags(parser.add_argument_group("language models"))
    parser.set_defaults(run=run)


def _add_detector_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--threshold", type=float, help="objects with a lower score are dropped; 0.3"
    )
    group.add_argument(
        "--iou",
        type=float,
        help="the worse of two boxes is dropped if they overlap by more than this; by default as "
        "in the run",
    )
    add_nms_flag(group)
    group.add_argument(
        "--class-agnostic",
        action="store_true",
        default=None,
        help="boxes of different classes suppress each other, too",
    )
    group.add_argument("--classes", help="names a,b,... of those that are looked for")


def add_nms_flag(group: Any) -> None:
    """Adds the flag that says what happens to overlapping boxes."""
    group.add_argument(
        "--nms",
        choices=("hard", "soft_linear", "soft_gaussian", "fusion"),
        help="of overlapping boxes the best is kept (hard), the others lose score, or, with --tta "
        "or several runs, all become their mean; by default as in the run",
    )


def _add_translator_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--beam",
        dest="beam_size",
        type=int,
        help="beam size, 1 for greedy search; by default that of the run",
    )
    group.add_argument(
        "--alpha", type=float, help="exponent of the length penalty; by default that of the run"
    )
    group.add_argument(
        "--reference", type=Path, help="reference translations for BLEU, one a line of INPUT"
    )
    group.add_argument(
        "--too-long",
        choices=("error", "cut"),
        help="what happens to sentences with more tokens than the run allows; error",
    )
    group.add_argument(
        "--attention",
        action="store_true",
        default=None,
        help="draw where the decoder looked in the first sentences, into --out/attention.png",
    )


def _add_sampler_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--count", type=int, help="images to make; 64")
    group.add_argument("--seed", type=int, help="another one makes other images; 0")
    group.add_argument(
        "--ask", metavar="CLASSES", help="names a,b,... of classes that take turns; all"
    )
    group.add_argument(
        "--guidance",
        type=float,
        help="of a diffusion model with classes: 1 for none, above for more typical images",
    )
    group.add_argument(
        "--sampler", choices=("ddim", "ancestral"), help="of a diffusion model; as in the run"
    )
    group.add_argument(
        "--steps", dest="sample_steps", type=int, help="calls of ddim; as in the run"
    )
    group.add_argument("--eta", type=float, help="fresh noise of ddim, 0 to 1; as in the run")


def _add_language_flags(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--length", type=int, help="tokens that follow a prompt; 50")
    group.add_argument(
        "--temperature", type=float, help="below 1 for more probable text, 0 for the most; 1"
    )
    group.add_argument("--top-k", type=int, help="draw from the k most probable tokens; 0 for all")
    group.add_argument(
        "--top-p",
        type=float,
        help="draw from the most probable tokens whose probabilities sum to p; 1",
    )
    group.add_argument(
        "--stop", action="store_true", default=None, help="a text ends with its line"
    )


def run(options: argparse.Namespace) -> int:
    """Predicts; returns the exit code.

    Raises:
        ValueError: If an option is wrong.
        OSError: If a file is missing or cannot be written.
    """
    given = {name: getattr(options, name) for name in _FLAGS}
    given = {name: value for name, value in given.items() if value is not None}
    _check_ranges(given)
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"--out must be a folder, got {options.out}, a file")
    predictor = load_runs(options.trained, options.step, files=True)
    if predictor.reads not in _OWN:
        raise ValueError(
            f"jaxvision predict is for {', '.join(_OWN)}, got a run that reads "
            f"{predictor.reads}; use jaxvision.load in Python"
        )
    _check_known(options, predictor, given)
    if "classes" in given:
        given["classes"] = [name.strip() for name in given["classes"].split(",")]
    if predictor.reads in ("images", "clips"):
        given.setdefault("batch_size", _batch_size(predictor))
    predictor = predictor.replaced(**given)
    # Each imports what only it needs.
    if options.verify:
        from jaxvision.cli.predict_pairs import predict_pairs

        return predict_pairs(predictor, options)
    if predictor.reads == "text":
        from jaxvision.cli.predict_text import predict_text

        return predict_text(predictor, options)
    if predictor.reads == "words":
        from jaxvision.cli.predict_words import predict_words

        return predict_words(predictor, options)
    if predictor.reads == "prompts":
        from jaxvision.cli.predict_prompts import predict_prompts

        return predict_prompts(predictor, options)
    if predictor.reads == "texts":
        from jaxvision.cli.predict_texts import predict_texts

        return predict_texts(predictor, options)
    if predictor.reads == "graphs":
        from jaxvision.cli.predict_graphs import predict_graphs

        return predict_graphs(predictor, options)
    if predictor.reads == "noise":
        from jaxvision.cli.predict_samples import predict_samples

        return predict_samples(predictor, options)
    from jaxvision.cli.predict_images import predict_images

    return predict_images(predictor, options)


def formats(options: argparse.Namespace) -> list[str]:
    """Returns the words of `--save`."""
    return [word.strip() for word in options.save.split(",") if word.strip()]


def save_results(options: argparse.Namespace, results: "Sequence[tuple[Item, Result]]") -> None:
    """Writes results into the files that `--save` names.

    Args:
        options: The command line.
        results: What each is of, and it.

    Raises:
        OSError: If a file cannot be written.
    """
    from jaxvision.inference.outputs.formats import FILES, FORMATS

    if not formats(options):
        return
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        for name in formats(options):
            add = stack.enter_context(FORMATS[name](options.out))
            for item, result in results:
                add(item, result)
    for name in formats(options):
        message(f"wrote {options.out / FILES[name]}")


def message(text: str) -> None:
    """Shows a line that is not a prediction, on stderr."""
    print(text, file=sys.stderr, flush=True)


def _batch_size(predictor: "Predictor") -> int:
    """Returns how many pictures share a batch where the user does not say it."""
    import jax

    if jax.default_backend() != "cpu":
        return predictor.batch_size
    height, width = predictor.program().inputs(1)[0].shape[1:3]
    fitting = max(1, _CPU_PIXELS // (height * width))
    return min(predictor.batch_size, _CPU_BATCH, fitting)


def _check_ranges(given: dict[str, Any]) -> None:
    """Checks numbers before anything is loaded."""
    for name in ("threshold", "iou"):
        if name in given and not 0 <= given[name] <= 1:
            raise ValueError(f"--{name} must be in [0, 1], got {given[name]}")
    for name in ("beam_size", "batch_size", "top"):
        if name in given and given[name] < 1:
            raise ValueError(f"{_FLAGS[name]} must be at least 1, got {given[name]}")


def _check_known(
    options: argparse.Namespace, predictor: "Predictor", given: dict[str, Any]
) -> None:
    """Checks that the flags are of this predictor."""
    from jaxvision.inference.outputs.formats import check_formats

    kind = type(predictor).__name__.lower()
    wrong = [_FLAGS[name] for name in given if name not in predictor.options]
    others = {name for reads, names in _OWN.items() if reads != predictor.reads for name in names}
    for name in sorted(others - set(_OWN[predictor.reads])):
        if getattr(options, name) is not None:
            wrong.append(f"--{name.replace('_', '-')}")
    if wrong:
        known = ", ".join(_FLAGS[name] for name in predictor.options if name in _FLAGS)
        raise ValueError(
            f"{options.trained} holds a {kind}, which does not take {', '.join(wrong)}; it takes "
            f"{known}"
        )
    if options.verify and not hasattr(predictor, "verify"):
        raise ValueError(f"--verify is for models of few examples, got a {kind}")
    check_formats(formats(options), predictor)
