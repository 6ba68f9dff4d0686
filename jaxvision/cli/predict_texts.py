"""The classes of texts."""

import argparse
import sys
from pathlib import Path
from typing import Any

from jaxvision.cli.predict import message, save_results
from jaxvision.data.text.parallel import decode_lines, read_lines
from jaxvision.inference.outputs.item import Item


def predict_texts(classifier: Any, options: argparse.Namespace) -> int:
    """Prints the class of each text of the command line, or of a pipe; returns the exit code.

    A file is read as a text a line. A text without words is a message, and the exit code 1.

    Raises:
        ValueError: If an option is wrong, or there is no text.
        OSError: If a file cannot be read or written.
    """
    texts: list[tuple[str, int, str]] = []
    for word in options.inputs:
        file = Path(word).expanduser()
        if _is_file(file):
            texts += [(word, line, text) for line, text in enumerate(read_lines(file), 1) if text]
        else:
            texts.append((word, 1, word))
    if not options.inputs and not sys.stdin.isatty():
        lines = decode_lines(sys.stdin.buffer, "stdin")
        texts = [("stdin", line, text) for line, text in enumerate(lines, 1) if text]
    if not texts:
        raise ValueError("INPUT must be texts or files with a text a line, got none")
    known, unknown = [], 0
    for name, line, text in texts:
        if len(classifier.task.encode(text)):
            known.append((name, line, text))
        else:
            message(f"error: {name}:{line}: expected words, got {text!r}")
            unknown += 1
    results = classifier([text for _, _, text in known])
    for result in results:
        print(f"{result.summary()}: {result.text}", flush=True)
    items = [Item(name, name, line=line) for name, line, _ in known]
    save_results(options, list(zip(items, results, strict=True)))
    return 1 if unknown else 0


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text can be longer than the name of a file
        return False
