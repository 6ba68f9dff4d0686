"""Loading the run that a command names."""

import contextlib
import io
import os
import pathlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor


def print_any_name() -> None:
    """Prints names of files that are not of the terminal's encoding with escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):  # closed
                stream.reconfigure(errors="backslashreplace")


def quiet_jax() -> None:
    """Keeps XLA's notes to its developers from the user of a command; before JAX is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def start_jax() -> None:
    """Starts JAX, which finds the devices.

    Raises:
        ValueError: If `JAX_PLATFORMS` asks for devices that JAX does not find.
    """
    quiet_jax()
    # Imported here, so that `--help` and the like need not wait for JAX.
    import jax

    try:
        jax.devices()
    # JAX asserts that it has found any.
    except (AssertionError, RuntimeError) as error:
        asked = os.environ.get("JAX_PLATFORMS", "")
        raise ValueError(
            f"JAX finds no device for JAX_PLATFORMS={asked}"
            + (f" ({str(error).splitlines()[0]})" if str(error) else "")
            + "; unset it to use what there is, or install the extra for your GPU, as in: "
            "pip install 'jaxvision[cuda13]'"
        ) from error


def load_run(run: pathlib.Path, step: int | None = None, *, files: bool = False) -> "Predictor":
    """Loads a run for a command.

    Args:
        run: Its folder.
        step: Of the checkpoint.
        files: Whether a file that `jaxvision export` wrote will do, too.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If there is no such step, it cannot be read, or no device is found.
    """
    if step is not None and step < 0:
        raise ValueError(f"--step must be at least 0, got {step}")
    if str(run).startswith("hf:/"):  # a path has one slash in place of two
        from jaxvision.pretrained import hub

        run = hub.fetch(hub.PREFIX + str(run).removeprefix("hf:/").lstrip("/"))
    if run.is_file() and not (files and run.suffix in (".onnx", ".safetensors")):
        raise ValueError(f"expected the folder of a run, got the file {run}")
    start_jax()
    from jaxvision.inference.load import load

    return load(run, step=step)


def load_runs(runs: pathlib.Path, step: int | None = None, *, files: bool = False) -> "Predictor":
    """Loads a run, or several detectors with commas between them as one.

    Args:
        runs: As for `load_run`, or RUN,RUN,...
        step: As for `load_run`, for one run.
        files: As for `load_run`.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: As `load_run`, or if several cannot be joined.
    """
    names = str(runs).split(",")
    if len(names) == 1 or runs.exists():
        return load_run(runs, step, files=files)
    if step is not None:
        raise ValueError(f"--step is for one run, got {len(names)} runs")
    if not all(names):
        raise ValueError(f"runs must be RUN,RUN,... without spaces, got {runs}")
    members = [load_run(pathlib.Path(name)) for name in names]
    from jaxvision.inference.ensemble import ensemble

    return ensemble(members)


def metrics_at(run: pathlib.Path, step: int) -> dict[str, float]:
    """Returns what the evaluation at a step of a run found, without values of single classes."""
    from jaxvision.inference.load import run_folder
    from jaxvision.train.record import read_evaluations

    folder, _ = run_folder(run, step)
    found = read_evaluations(folder / "metrics.jsonl", step).get(step, {})
    return {k: v for k, v in found.items() if k.count("/") == 1 and not k.startswith("train/")}
