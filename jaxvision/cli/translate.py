"""`jaxvision translate`: translates files, or lines from the keyboard, with a trained Transformer.

jaxvision translate --workdir=runs/transformer_multi30k
jaxvision translate --workdir=runs/transformer_multi30k --input=test.en.gz --output=test.out.de \
        --reference=test.de.gz
"""

import argparse
import contextlib
import gzip
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxvision.data.errors import DataError
from jaxvision.data.files import write_whole
from jaxvision.data.text.parallel import decode_lines, read_lines
from jaxvision.train.progress import Progress

if TYPE_CHECKING:
    from jaxvision.inference.translator import Translator

_DESCRIPTION = """
Translates with a run of the recipe `translation`: a file, lines from a pipe, or, on a terminal,
each line that is typed. Each line of input gives one line of output; empty lines stay empty.
"""
# Line numbers in a message, at most.
_NAMED = 20
# Sentences in a picture of attention, at most.
_DRAWN = 4


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to a command line."""
    parser = subparsers.add_parser(
        "translate", help="translate text with a trained Transformer", description=_DESCRIPTION
    )
    parser.add_argument("--workdir", required=True, type=Path, help="folder of the run")
    parser.add_argument("--input", type=Path, help="text, one sentence a line, .gz or not")
    parser.add_argument("--output", type=Path, help="file for the translations, .gz or not")
    parser.add_argument(
        "--reference", type=Path, help="reference translations for BLEU, one a line of the input"
    )
    parser.add_argument(
        "--beam", type=int, help="beam size, 1 for greedy search; by default that of the run"
    )
    parser.add_argument(
        "--alpha",
        type=float,
        help="exponent of the length penalty, at least 0; by default that of the run",
    )
    parser.add_argument("--batch-size", type=int, default=64, help="sentences at once; %(default)s")
    parser.add_argument(
        "--step",
        type=int,
        help="checkpoint to use; by default the best, or the newest if none was evaluated",
    )
    parser.add_argument(
        "--too-long",
        choices=("error", "cut"),
        default="error",
        help="what happens to sentences with more tokens than the run allows; %(default)s",
    )
    parser.add_argument(
        "--attention",
        type=Path,
        help=f"a .png file for the attention weights of the first {_DRAWN} sentences",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Translates; returns the exit code.

    Raises:
        ValueError: If an option is wrong, or the text has a fault.
        OSError: If a file is missing or cannot be written.
    """
    typed = options.input is None and sys.stdin.isatty()
    _check_options(options, typed)
    lines = [] if typed else _read(options.input)
    references = None if options.reference is None else _read(options.reference)
    if references is not None and (not lines or len(lines) != len(references)):
        raise DataError(
            f"--reference must have as many lines as the text, {len(lines):,}, got "
            f"{len(references):,}"
        )
    translator = _load(options)
    if typed:
        return _converse(translator, options)

    with Progress(len(lines), "lines") as progress:
        on_long = _on_long(options, translator.max_length)
        found = translator(lines, on_long=on_long, progress=progress)
    # A line stays a line, whatever an untrained network writes.
    texts = [one.text.replace("\n", " ").replace("\r", " ") for one in found]
    content = "".join(f"{text}\n" for text in texts).encode()
    if options.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        compressed = options.output.suffix == ".gz"
        write_whole(options.output, gzip.compress(content) if compressed else content)
        _message(f"wrote {options.output}, {len(texts):,} lines")
    if references is not None:
        _message(_quality(texts, references))
    if options.attention is not None:
        _draw(translator, [line for line in lines if line][:_DRAWN], options.attention)
    return 0


def _check_options(options: argparse.Namespace, typed: bool) -> None:
    for name in ("batch_size", "beam", "step"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    for name in ("input", "reference"):
        path = getattr(options, name)
        if path is not None and not path.is_file():
            raise ValueError(f"--{name} must be a file, got {path}, which is not one")
    if typed and (options.output or options.reference):
        raise ValueError("--output and --reference need --input or lines from a pipe")
    if options.attention is not None and options.attention.suffix != ".png":
        raise ValueError(f"--attention must end in .png, got {options.attention}")
    if options.output is not None:
        folder = options.output.absolute().parent
        if options.output.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"--output must be a file that can be written, got {options.output}")
        sources = [path.resolve() for path in (options.input, options.reference) if path]
        if options.output.resolve() in sources:
            raise ValueError(f"--output must not be a file that is read: {options.output}")


def _read(path: Path | None) -> list[str]:
    """Reads all lines of a file, or of stdin."""
    if path is None:
        return list(decode_lines(sys.stdin.buffer, "stdin"))
    return list(read_lines(path))


def _load(options: argparse.Namespace) -> "Translator":
    # XLA's messages for its developers do not help someone who translates.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Imported here, so that other commands do not wait for JAX.
    from jaxvision.inference.load import load
    from jaxvision.inference.translator import Translator

    predictor = load(options.workdir, step=options.step)
    if not isinstance(predictor, Translator):
        raise ValueError(
            f"--workdir must be a run of the recipe translation, but {options.workdir} holds a "
            f"{type(predictor).__name__.lower()}"
        )
    return predictor.replaced(
        beam_size=options.beam, alpha=options.alpha, batch_size=options.batch_size
    )


def _on_long(options: argparse.Namespace, max_length: int) -> Callable[[list[int]], None]:
    """Returns what is called with the numbers of lines that have too many tokens."""

    def on_long(long: list[int]) -> None:
        numbers = ", ".join(str(i + 1) for i in long[:_NAMED])
        numbers += ", ..." if len(long) > _NAMED else ""
        if options.too_long == "error":
            raise DataError(
                f"{options.input or 'stdin'}: lines must have at most {max_length} tokens, as in "
                f"training, got {len(long):,} longer: {numbers}; shorten them, or cut them with "
                "--too-long=cut"
            )
        _message(f"cut {len(long):,} lines after {max_length} tokens: {numbers}")

    return on_long


def _converse(translator: "Translator", options: argparse.Namespace) -> int:
    """Translates what is typed, until Ctrl-D or Ctrl-C."""
    # With readline, `input` knows the arrow keys; not every Python is built with it.
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")
    on_long = _on_long(options, translator.max_length)
    _message(
        "one sentence a line; Ctrl-D ends; the first takes longer, since programs are compiled"
    )
    try:
        while True:
            try:
                line = input("> ").strip()
                line.encode()  # fails if the terminal's bytes are not text
                (found,) = translator([line], on_long=on_long)
                print(found.text, flush=True)
                if options.attention is not None and line:
                    _draw(translator, [line], options.attention)
            except ValueError as error:  # only this line is wrong
                _message(f"error: {error}")
    except (EOFError, KeyboardInterrupt):
        print()
    return 0


def _quality(texts: Sequence[str], references: Sequence[str]) -> str:
    from jaxvision.metrics.translation import bleu_signature, corpus_bleu

    return f"BLEU {corpus_bleu(texts, references):.2f}  ({bleu_signature()})"


def _draw(translator: "Translator", sentences: Sequence[str], path: Path) -> None:
    """Draws the attention weights of sentences."""
    from jaxvision.data.png import write_png
    from jaxvision.plots.sheet import contact_sheet
    from jaxvision.plots.style import to_rgb

    pictures = [to_rgb(translator.attention(sentence).figure()) for sentence in sentences]
    _message(f"wrote {write_png(path, contact_sheet(pictures, min(2, len(pictures))))}")


def _message(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
