"""Epochs that a detector needs on a small real set, from scratch and from a run on drawn shapes.

    python benchmarks/finetune.py --path=DIR                  # BCCD, Pascal VOC layout
    python benchmarks/finetune.py --path=DIR --epochs=2 --shapes-epochs=1 --size=64

Trains YOLOX tiny on `shapes` first, then twice on the set: from scratch for `--epochs`, and from
the best checkpoint on shapes for half as many. Runs that are finished are not repeated, those that
were stopped continue. Prints the AP50 after each evaluation, and by which epoch each run reaches
`--goal`; `finetune.png` has both curves.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from jaxvision.data.png import write_png
from jaxvision.plots.style import PALETTE, figure, legend, style_axes, to_rgb, unit

NAME = "val/AP50"


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--path", required=True, help="folder of the dataset")
    parser.add_argument("--train", default="trainval", help="split to train on")
    parser.add_argument("--val", default="test", help="split to evaluate on")
    parser.add_argument("--epochs", type=int, default=40, help="of the run from scratch")
    parser.add_argument("--shapes-epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=256, help="side of the images in pixels")
    parser.add_argument("--every", type=int, default=2, help="epochs between evaluations")
    parser.add_argument("--goal", type=float, default=0.75, help="AP50 to reach")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/finetune"))
    return parser.parse_args()


def train(workdir: pathlib.Path, config: str, *flags: str) -> None:
    """Trains a config by the command line, as its user would."""
    command = [sys.executable, "-m", "jaxvision.cli.main", "train", f"--config={config}"]
    subprocess.run([*command, f"--workdir={workdir}", *flags], check=True)


def curve(workdir: pathlib.Path, steps_per_epoch: float) -> list[tuple[float, float]]:
    """Returns (epoch, AP50) of each evaluation of a run."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [(x["step"] / steps_per_epoch, x[NAME]) for x in found if NAME in x]


def reached(points: list[tuple[float, float]], goal: float) -> str:
    """Says by which epoch a curve reaches a value."""
    epoch = next((epoch for epoch, value in points if value >= goal), None)
    return "not reached" if epoch is None else f"after {epoch:g} epochs"


def draw(
    curves: dict[str, list[tuple[float, float]]], goal: float, file: pathlib.Path
) -> pathlib.Path:
    """Draws AP50 by epoch; returns where the picture is."""
    made = figure(8, 4.5)
    axes = made.subplots()
    style_axes(axes, title="AP50 on held-out images")
    axes.set_xlabel("epochs")
    axes.set_ylim(0, 1)
    lines = [
        axes.plot(*zip(*points, strict=True), color=unit(colour), marker="o", markersize=3)[0]
        for points, colour in zip(curves.values(), PALETTE, strict=False)
    ]
    lines.append(axes.axhline(goal, color=unit(PALETTE[2]), linestyle=":"))
    legend(axes, lines, [*curves, f"AP50 {goal:g}"])
    return write_png(file, to_rgb(made))


def main() -> None:
    """Trains what is missing, then compares."""
    options = parse()
    shapes, scratch, tuned = (options.out / x for x in ("shapes", "from_scratch", "fine_tuned"))
    train(shapes, "yolox:tiny", f"--config.epochs={options.shapes_epochs}")
    common = (
        f"--config.data.path={options.path}",
        f"--config.data.train={options.train}",
        f"--config.data.val={options.val}",
        f"--config.image_size={options.size}",
        f"--config.eval.epochs={options.every}",
    )
    train(scratch, "yolox:tiny,voc", f"--config.epochs={options.epochs}", *common)
    half = max(1, options.epochs // 2)
    train(tuned, "yolox:tiny,voc", f"--config.epochs={half}", f"--config.weights={shapes}", *common)
    runs = {"from scratch": (scratch, options.epochs), "fine-tuned": (tuned, half)}
    curves = {}
    for name, (workdir, epochs) in runs.items():
        last = max(json.loads(x)["step"] for x in (workdir / "metrics.jsonl").open())
        curves[name] = curve(workdir, last / epochs)
        shown = ", ".join(f"{epoch:g}: {value:.3f}" for epoch, value in curves[name])
        print(f"{name}, AP50 by epoch: {shown}")
        print(f"  AP50 {options.goal:g}: {reached(curves[name], options.goal)}")
    print(f"curves: {draw(curves, options.goal, options.out / 'finetune.png')}")


if __name__ == "__main__":
    main()
