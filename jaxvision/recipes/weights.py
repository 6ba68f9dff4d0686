"""What a new run starts from: the value `weights` of a config."""

import pathlib
from collections.abc import Mapping
from typing import Any

from jaxvision import pretrained
from jaxvision.models.variant import unknown
from jaxvision.pretrained import hub
from jaxvision.pretrained.download import cached
from jaxvision.pretrained.released import RELEASED
from jaxvision.recipes.values import Config
from jaxvision.train.checkpoint import NoCheckpoints, read_checkpoint, read_meta
from jaxvision.train.package import is_package, read_package, read_package_meta

# Runs that agree in these have the same network, but for the number of classes.
_NETWORK = ("method", "variant", "backbone")


def read_weights(given: str, variant: str) -> Mapping[str, Any]:
    """Reads the variables that a config names.

    Args:
        given: The folder of a run or of one of its checkpoints, of which the best is taken, a file
            of a reference's weights, a name of `released.RELEASED`, or hf://owner/name.
        variant: Name of the model that a file or a released name is of.

    Returns:
        {collection: tree} of numpy arrays.

    Raises:
        FileNotFoundError: If there is nothing of that name; the message says what to do.
        ValueError: If it cannot be read, or is not of that model.
    """
    if folder := _folder(given):
        if is_package(folder):
            return read_package(folder)[0]
        run, step = _run_and_step(folder)
        try:
            return read_checkpoint(run, step)[0]
        except NoCheckpoints as error:
            raise FileNotFoundError(f"weights: {error}") from error
    path = pathlib.Path(given).expanduser()
    if not path.is_file():
        if given not in RELEASED:
            bare = path.parent == pathlib.Path() and not path.suffix
            hint = f"; {unknown('a name', given, RELEASED)}" if bare else ""
            raise FileNotFoundError(
                f"weights must be a file, the folder of a run, a released name or hf://owner/name, "
                f"and there is no {given}{hint}"
            )
        path = cached(given)
    return pretrained.load(variant, path)[1]


def of_same_network(given: str, config: Config) -> bool:
    """Says whether `weights` are of a run of the same network, but for the number of classes."""
    folder = _folder(given)
    if folder is None:
        return False
    _, meta = read_package_meta(folder) if is_package(folder) else read_meta(*_run_and_step(folder))
    there = meta.get("config", {})
    return all(there.get(name, "") == config.get(name, "") for name in _NETWORK)


def _folder(given: str) -> pathlib.Path | None:
    """Returns the folder of a run or a packaged model; None for a file or a name."""
    if hub.is_hub(given):
        return hub.fetch(given)
    path = pathlib.Path(given).expanduser()
    return path if path.is_dir() else None


def _run_and_step(folder: pathlib.Path) -> tuple[pathlib.Path, int | None]:
    if folder.parent.name == "checkpoints" and folder.name.isdigit():
        return folder.parent.parent, int(folder.name)
    return folder, None
