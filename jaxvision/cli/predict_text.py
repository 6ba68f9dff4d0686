"""Text, through a translator: files, lines from a pipe, or lines that are typed."""

import argparse
import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxvision.cli.predict import formats, message
from jaxvision.data.errors import DataError
from jaxvision.data.files import write_whole
from jaxvision.data.png import write_png
from jaxvision.data.text.parallel import decode_lines, read_lines
from jaxvision.inference.outputs.formats import FILES, FORMATS
from jaxvision.inference.outputs.item import Add, Item, Names
from jaxvision.metrics.translation import bleu_signature, corpus_bleu
from jaxvision.plots.sheet import contact_sheet
from jaxvision.plots.style import to_rgb
from jaxvision.train.progress import Progress

# Line numbers in a message, at most.
_NAMED = 20
# Sentences in a picture of attention, at most.
_DRAWN = 4


def predict_text(translator: Any, options: argparse.Namespace) -> int:
    """Translates what the command line names; returns the exit code.

    A file `test.en`, or `test.en.gz`, becomes `test.<language>` in `--out`; lines of a pipe and of
    the keyboard are printed. Each line gives one line, empty ones stay empty.

    Raises:
        ValueError: If an option is wrong, or the text has a fault.
        OSError: If a file is missing or cannot be written.
    """
    if not options.inputs:
        return _from_stdin(translator, options)
    files = [Path(word).expanduser() for word in options.inputs]
    for file in [*files, *([options.reference] if options.reference else [])]:
        if not file.is_file():
            raise FileNotFoundError(f"expected a text file, got {file}, which is not one")
    targets = _targets(translator, files, options.out)
    texts = {file: list(read_lines(file)) for file in files}
    references = _references(options, list(texts.values()))
    options.out.mkdir(parents=True, exist_ok=True)

    drawn: list[str] = []
    found: list[str] = []
    with contextlib.ExitStack() as stack:
        adds = [stack.enter_context(FORMATS[name](options.out)) for name in formats(options)]
        for file, lines in texts.items():
            with Progress(len(lines), "lines") as progress:
                on_long = _on_long(options, str(file), translator.max_length)
                results = translator(lines, on_long=on_long, progress=progress)
            # A line stays a line, whatever an untrained network writes.
            translations = [_one_line(result.text) for result in results]
            write_whole(targets[file], "".join(f"{text}\n" for text in translations))
            message(f"wrote {targets[file]}, {len(lines):,} lines")
            _add(adds, str(file), targets[file].stem, results)
            found += translations
            drawn += [line for line in lines if line]
    for name in formats(options):
        message(f"wrote {options.out / FILES[name]}")
    if references is not None:
        message(f"BLEU {corpus_bleu(found, references):.2f}  ({bleu_signature()})")
    if options.attention and drawn:
        _draw(translator, drawn[:_DRAWN], options.out / "attention.png")
    return 0


def _targets(translator: Any, files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Returns the file for each translation."""
    data = translator.origin.config.data
    names, found = Names(), {}
    for file in files:
        name = file.name.removesuffix(".gz")
        stem = name.removesuffix(f".{data.from_language}").removesuffix(".txt")
        found[file] = out / f"{names(stem + '.')}.{data.to_language}"
    inputs = {file.resolve() for file in files}
    for target in found.values():
        if target.resolve() in inputs:
            raise ValueError(
                f"--out must not be the folder of the text: {target} would be written over"
            )
    return found


def _references(options: argparse.Namespace, texts: Sequence[list[str]]) -> list[str] | None:
    if options.reference is None:
        return None
    references = list(read_lines(options.reference))
    lines = sum(map(len, texts))
    if not lines or lines != len(references):
        raise DataError(
            f"--reference must have as many lines as the text, {lines:,}, got {len(references):,}"
        )
    return references


def _add(adds: Sequence[Add], path: str, name: str, results: Sequence[Any]) -> None:
    for line, result in enumerate(results, 1):
        for add in adds:
            add(Item(path, name, line=line), result)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def _on_long(
    options: argparse.Namespace, name: str, max_length: int
) -> Callable[[list[int]], None]:
    """Returns what is called with the numbers of lines that have too many tokens."""

    def on_long(long: list[int]) -> None:
        numbers = ", ".join(str(i + 1) for i in long[:_NAMED])
        numbers += ", ..." if len(long) > _NAMED else ""
        if options.too_long != "cut":
            raise DataError(
                f"{name}: lines must have at most {max_length} tokens, as in training, got "
                f"{len(long):,} longer: {numbers}; shorten them, or cut them with --too-long=cut"
            )
        message(f"cut {len(long):,} lines after {max_length} tokens: {numbers}")

    return on_long


def _from_stdin(translator: Any, options: argparse.Namespace) -> int:
    """Translates lines of a pipe, or what is typed until Ctrl-D or Ctrl-C."""
    for name in ("reference", "attention"):
        if getattr(options, name):
            raise ValueError(f"--{name} needs a text file as INPUT")
    if formats(options):
        raise ValueError("--save needs a text file as INPUT")
    on_long = _on_long(options, "stdin", translator.max_length)
    if not sys.stdin.isatty():
        lines = list(decode_lines(sys.stdin.buffer, "stdin"))
        texts = [_one_line(found.text) for found in translator(lines, on_long=on_long)]
        sys.stdout.buffer.write("".join(f"{text}\n" for text in texts).encode())
        sys.stdout.flush()
        return 0
    for line in _typed():
        try:
            line.encode()  # fails if the terminal's bytes are not text
            (found,) = translator([line], on_long=on_long)
            print(found.text, flush=True)
        except ValueError as error:  # only this line is wrong
            message(f"error: {error}")
    return 0


def _typed() -> Iterator[str]:
    # With readline, `input` knows the arrow keys; not every Python is built with it.
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")
    message("one sentence a line; Ctrl-D ends; the first takes longer, since programs are compiled")
    while True:
        try:
            yield input("> ").strip()
        except UnicodeDecodeError as error:
            message(f"error: {error}")
        except (EOFError, KeyboardInterrupt):
            print()
            return


def _draw(translator: Any, sentences: Sequence[str], path: Path) -> None:
    """Draws the attention weights of sentences."""
    pictures = [to_rgb(translator.attention(sentence).figure()) for sentence in sentences]
    message(f"wrote {write_png(path, contact_sheet(pictures, min(2, len(pictures))))}")
