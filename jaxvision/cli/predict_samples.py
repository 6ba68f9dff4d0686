"""Images from a generative model: a grid, and each image as a file."""

import argparse
from typing import Any

from jaxvision.cli.predict import message, save_results
from jaxvision.inference.outputs.item import Item


def predict_samples(sampler: Any, options: argparse.Namespace) -> int:
    """Makes images and writes them to `--out`; returns the exit code.

    Raises:
        ValueError: If an option is wrong.
        OSError: If a file cannot be written.
    """
    if options.inputs:
        raise ValueError(
            f"a generative model takes no INPUT but --count and --seed, got {options.inputs[0]}"
        )
    count = 64 if options.count is None else options.count
    classes = None
    if options.ask is not None:
        classes = [name.strip() for name in options.ask.split(",") if name.strip()]
    found = sampler.sample(count, seed=options.seed or 0, classes=classes)
    options.out.mkdir(parents=True, exist_ok=True)
    save_results(options, [(Item(str(options.out / "images"), "samples"), found)])
    if options.no_draw is None:
        grid = found.save(options.out / "grid.png")
        files = found.save_images(options.out / "images")
        message(f"wrote {grid}, and {len(files):,} images in {options.out / 'images'}")
    return 0
