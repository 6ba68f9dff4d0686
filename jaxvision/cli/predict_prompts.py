"""Texts that a language model continues."""

import argparse
import sys
from typing import Any

from jaxvision.cli.predict import save_results
from jaxvision.data.text.parallel import decode_lines
from jaxvision.inference.outputs.item import Item


def predict_prompts(generator: Any, options: argparse.Namespace) -> int:
    """Prints the continuation of each prompt of the command line, or of a pipe; returns 0.

    Without any it begins a text.

    Raises:
        ValueError: If an option is wrong, or a text would be too long.
        OSError: If a file cannot be written.
    """
    prompts = list(options.inputs)
    if not prompts and not sys.stdin.isatty():
        prompts = list(decode_lines(sys.stdin.buffer, "stdin"))
    results = generator.replaced(seed=options.seed)(prompts or [""])
    for result in results:
        print(result, flush=True)
    save_results(options, [(Item(each.prompt, each.prompt), each) for each in results])
    return 0
