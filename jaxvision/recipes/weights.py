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
from jaxvision.train.package import is_package, read_package, read_package_meta
from jaxvision.train.saved import NoCheckpoints, read_checkpoint, read_meta


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


def part_of_run(given: str, config: Config) -> str | None:
    """Says which part of a run's network fits the one of a config.

    Args:
        given: As for `read_weights`.
        config: The values of the new run.

    Returns:
        "" for all of it, where both are of the same network but for the number of classes;
        `backbone` where only that is the same; None if `given` is no run.

    Raises:
        ValueError: If it is a run of another network, or cannot be read.
    """
    folder = _folder(given)
    if folder is None:
        return None
    _, meta = read_package_meta(folder) if is_package(folder) else read_meta(*_run_and_step(folder))
    there = meta.get("config", {})
    if _network(there) == _network(config):
        return ""
    if _backbone(there) == _backbone(config):
        return "backbone"
    raise ValueError(
        f"weights must be of the same network or backbone: {given} is a run of "
        f"{_described(there)}, and this config is of {_described(config)}"
    )


def _network(config: Mapping[str, Any] | Config) -> tuple[str, str, str]:
    """Returns what runs of one network have in common: method, variant, backbone."""
    method = config.get("method", "")
    return method, config["variant"].removeprefix(f"{method}_"), config.get("backbone", "")


def _backbone(config: Mapping[str, Any] | Config) -> str:
    return config.get("backbone", "") or config["variant"]


def _described(config: Mapping[str, Any] | Config) -> str:
    method, variant, backbone = _network(config)
    return " ".join(filter(None, (method, variant, backbone and f"on {backbone}")))


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
