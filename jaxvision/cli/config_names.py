"""The config files that come with the package, by name."""

import difflib
from importlib import resources
from pathlib import Path

import jaxvision


def config_folder() -> Path:
    """Returns the folder of the config files: of a checkout, or within the installed package."""
    package = Path(str(resources.files(jaxvision)))
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def config_names() -> list[str]:
    """Lists the names of the config files, without ending."""
    return sorted(file.stem for file in config_folder().glob("*.py") if file.stem != "__init__")


def config_file(name: str) -> Path:
    """Returns the config file of a path or a name.

    Args:
        name: A path that ends in `.py`, or the name of a file that comes with the package.

    Raises:
        FileNotFoundError: If there is none; the message names the nearest.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    known = config_names()
    if path.parent == Path() and path.suffix == "" and name in known:
        return config_folder() / f"{name}.py"
    near = nearest(name)
    hint = f"did you mean {near}?" if near else f"names are {', '.join(known)}"
    raise FileNotFoundError(f"--config must be a file or a name, and {name!r} is neither; {hint}")


def nearest(name: str) -> str | None:
    """Returns the config that was perhaps meant by a path or a name; None if none is near."""
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".py":
        return name
    # Of a path, the files beside it come first.
    beside = [file.stem for file in path.parent.glob("*.py")] if path.suffix == ".py" else []
    if near := difflib.get_close_matches(path.stem, sorted(beside), n=1):
        return str(path.with_name(f"{near[0]}.py"))
    near = difflib.get_close_matches(path.stem, config_names(), n=1)
    return near[0] if near else None
