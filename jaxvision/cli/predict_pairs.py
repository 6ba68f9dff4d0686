"""Pairs of pictures, compared by a model of few examples."""

import argparse
import contextlib
from pathlib import Path
from typing import Any

from jaxvision.cli.predict import formats, message
from jaxvision.inference.inputs import Inputs
from jaxvision.inference.outputs.formats import FILES, FORMATS
from jaxvision.inference.outputs.item import Item


def predict_pairs(predictor: Any, options: argparse.Namespace) -> int:
    """Compares the first picture with the second, the third with the fourth; returns the exit code.

    Raises:
        ValueError: If the number of pictures is odd, or there is none.
        OSError: If a file is missing or cannot be written.
    """
    pictures = Inputs(options.inputs).pictures if options.inputs else []
    if not pictures or len(pictures) % 2:
        raise ValueError(f"--verify needs pairs of pictures, got {len(pictures)} pictures")
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        adds = [stack.enter_context(FORMATS[name](options.out)) for name in formats(options)]
        for number in range(len(pictures) // 2):
            first, second = pictures[2 * number : 2 * number + 2]
            found = predictor.verify(first, second)
            name = f"{number:04d}_{Path(first).stem}_{Path(second).stem}"
            for add in adds:
                add(Item(first, name), found)
            print(f"{first} {second}: {found.summary()}", flush=True)
            if options.no_draw is None:
                found.save(options.out / f"{name}.png")
    for name in formats(options):
        message(f"wrote {options.out / FILES[name]}")
    return 0
