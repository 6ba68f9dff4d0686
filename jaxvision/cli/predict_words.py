"""The words nearest to words and to the answers of analogies."""

import argparse
import sys
from typing import Any

from jaxvision.cli.predict import message, save_results
from jaxvision.data.text.parallel import decode_lines
from jaxvision.inference.outputs.item import Item


def predict_words(vectors: Any, options: argparse.Namespace) -> int:
    """Prints a line for each word of the command line, or of a pipe; returns the exit code.

    A word that is not in the vocabulary is a message, and the exit code 1.

    Raises:
        ValueError: If an option is wrong, or there is no word.
        OSError: If a file cannot be written.
    """
    queries = options.inputs
    if not queries and not sys.stdin.isatty():
        queries = [line for line in decode_lines(sys.stdin.buffer, "stdin") if line]
    if not queries:
        raise ValueError("INPUT must be words, or a:b:c for an analogy, got none")
    found, missing = [], 0
    for query in queries:
        try:
            found.append(vectors.look_up(query))
        except ValueError as error:
            message(f"error: {error}")
            missing += 1
        else:
            print(f"{query}: {found[-1].summary()}", flush=True)
    save_results(options, [(Item(each.query, each.query), each) for each in found])
    return 1 if missing else 0
