"""`jaxvision translate`: files, or lines from the keyboard, through a trained Transformer.

jaxvision translate --workdir=runs/transformer_multi30k
jaxvision translate --workdir=runs/transformer_multi30k --input=test.en.gz --output=test.out.de \
        --reference=test.de.gz
"""

import argparse
import contextlib
import gzip
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
Translates by a run of configs/transformer_multi30k.py: a file, lines from a pipe, or, on a
terminal, line by line what is typed. There is a line out for every line in; an empty one stays
empty.
"""
# Line numbers in a message, at most.
_NAMED = 20
# Sentences in a picture of attention, at most.
_DRAWN = 4


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to a command line."""
    parser = subparsers.add_parser(
        "translate", help="translate text by a trained Transformer", description=_DESCRIPTION
    )
    parser.add_argument("--workdir", required=True, type=Path, help="folder of the run")
    parser.add_argument("--input", type=Path, help="text, a sentence a line, .gz or not")
    parser.add_argument("--output", type=Path, help="file of the translations, .gz or not")
    parser.add_argument(
        "--reference", type=Path, help="what they are compared with, by BLEU; a line for each line"
    )
    parser.add_argument("--beam", type=int, help="hypotheses, 1 for greedy; as in training")
    parser.add_argument(
        "--alpha", type=float, help="favours longer translations, from 0; as in training"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="sentences at once; %(default)s")
    parser.add_argument(
        "--step", type=int, help="which checkpoint; by default the best, or else the newest"
    )
    parser.add_argument(
        "--too-long",
        choices=("refuse", "cut"),
        default="refuse",
        help="what to do if a sentence is longer than those of the training; %(default)s",
    )
    parser.add_argument(
        "--attention",
        type=Path,
        help=f"a .png: where the network looked as it translated the first {_DRAWN} sentences",
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
            f"--reference must have a line for each line of text, got {len(references):,} for "
            f"{len(lines):,}"
        )
    translator = _load(options)
    if typed:
        return _converse(translator, options)

    with Progress(len(lines), "lines") as progress:
        on_long = _on_long(options, translator.max_length)
        texts = translator(lines, on_long=on_long, progress=progress)
    # A line stays a line, whatever an untrained network writes.
    texts = [text.replace("\n", " ").replace("\r", " ") for text in texts]
    content = "".join(f"{text}\n" for text in texts).encode()
    if options.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        compressed = options.output.suffix == ".gz"
        write_whole(options.output, gzip.compress(content) if compressed else content)
        _tell(f"wrote {options.output}, {len(texts):,} lines")
    if references is not None:
        _tell(_quality(texts, references))
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
            raise ValueError(f"--{name} must be a file, got {path}, which is none")
    if typed and (options.output or options.reference):
        raise ValueError("--output and --reference need --input, or lines from a pipe")
    if options.attention is not None and options.attention.suffix != ".png":
        raise ValueError(f"--attention must end in .png, got {options.attention}")
    if options.output is not None:
        folder = options.output.absolute().parent
        if options.output.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"--output must be a file that can be written, got {options.output}")
        sources = [path.resolve() for path in (options.input, options.reference) if path]
        if options.output.resolve() in sources:
            raise ValueError(f"--output must be another file than what is read: {options.output}")


def _read(path: Path | None) -> list[str]:
    """Reads all lines of a file, or of stdin."""
    if path is None:
        return list(decode_lines(sys.stdin.buffer, "stdin"))
    return list(read_lines(path))


def _load(options: argparse.Namespace) -> "Translator":
    # XLA's notes to its developers are not for who wants a translation.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Here, so that the other commands need not wait for JAX.
    from jaxvision.inference.translator import Translator

    return Translator.from_workdir(
        options.workdir,
        step=options.step,
        beam_size=options.beam,
        alpha=options.alpha,
        batch_size=options.batch_size,
    )


def _on_long(options: argparse.Namespace, max_length: int) -> Callable[[list[int]], None]:
    """Returns what is done about lines of too many tokens."""

    def on_long(long: list[int]) -> None:
        numbers = ", ".join(str(i + 1) for i in long[:_NAMED])
        numbers += ", ..." if len(long) > _NAMED else ""
        if options.too_long == "refuse":
            raise DataError(
                f"{options.input or 'stdin'}: lines must be of at most {max_length} tokens, as in "
                f"training, got {len(long):,} longer: {numbers}; shorten them, or have them cut by "
                "--too-long=cut"
            )
        _tell(f"cut {len(long):,} lines after {max_length} tokens: {numbers}")

    return on_long


def _converse(translator: "Translator", options: argparse.Namespace) -> int:
    """Translates what is typed, until Ctrl-D or Ctrl-C."""
    # Gives the line its arrow keys, where Python was built with it.
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401
    on_long = _on_long(options, translator.max_length)
    _tell("a sentence a line; Ctrl-D ends; the first takes longer, as programs are compiled")
    try:
        while True:
            try:
                line = input("> ").strip()
                line.encode()  # fails where the terminal's bytes were no text
                (text,) = translator([line], on_long=on_long)
                print(text, flush=True)
                if options.attention is not None and line:
                    _draw(translator, [line], options.attention)
            except ValueError as error:  # of the line alone, so that the next one may be better
                _tell(f"error: {error}")
    except (EOFError, KeyboardInterrupt):
        print()
    return 0


def _quality(texts: Sequence[str], references: Sequence[str]) -> str:
    from jaxvision.metrics.translation import bleu_signature, corpus_bleu

    return f"BLEU {corpus_bleu(texts, references):.2f}  ({bleu_signature()})"


def _draw(translator: "Translator", sentences: Sequence[str], path: Path) -> None:
    """Draws where the network looks in sentences."""
    from jaxvision.data.png import write_png
    from jaxvision.inference.attention_figure import attention_figure
    from jaxvision.inference.draw import contact_sheet

    figures = [attention_figure(*translator.attention(sentence)) for sentence in sentences]
    _tell(f"wrote {write_png(path, contact_sheet(figures, min(2, len(figures))))}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
