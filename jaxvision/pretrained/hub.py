"""Models on the Hugging Face Hub, `hf://owner/name`, by the extra `hub`."""

import pathlib
import re
from typing import Any

from jaxvision.data.extras import library

PREFIX = "hf://"
# Nothing else of a repository is downloaded: no code, and no pickle.
PATTERNS = ("*.safetensors", "*.json", "README.md")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub(address: str) -> bool:
    """Says whether an address is one of the Hub."""
    return address.startswith(PREFIX)


def repository(address: str) -> str:
    """Returns `owner/name` of an address with or without `hf://`.

    Raises:
        ValueError: If it is not of that form.
    """
    name = address.removeprefix(PREFIX)
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"expected hf://owner/name, got {address}")
    return name


def fetch(address: str) -> pathlib.Path:
    """Downloads a model, or takes it from the Hub's cache, and returns its folder.

    Raises:
        ValueError: If the address is not of the form hf://owner/name.
        ImportError: If the extra is not installed.
        OSError: If there is no such model, or it cannot be reached.
    """
    name, library = repository(address), client()
    try:
        return pathlib.Path(library.snapshot_download(name, allow_patterns=list(PATTERNS)))
    except Exception as error:  # whatever the client and its network raise
        raise OSError(f"{address} cannot be downloaded: {_line(error)}") from error


def push(folder: pathlib.Path, address: str, *, private: bool = False) -> str:
    """Uploads the files of a folder to a model of the Hub, made if it is missing.

    Returns:
        Its address on the web.

    Raises:
        ValueError: If the address is not of the form owner/name.
        ImportError: If the extra is not installed.
        OSError: If it cannot be reached, or the user may not write to it.
    """
    name, library = repository(address), client()
    try:
        library.create_repo(name, private=private, exist_ok=True)
        library.upload_folder(
            repo_id=name, folder_path=str(folder), commit_message="Upload a model of jaxvision"
        )
    except Exception as error:  # whatever the client and its network raise
        raise OSError(
            f"cannot upload to {name}: {_line(error)}; log in by `hf auth login` or set HF_TOKEN"
        ) from error
    return f"https://huggingface.co/{name}"


def client() -> Any:
    """Returns the Hub's client library; ImportError if the extra is not installed."""
    return library("huggingface_hub", "hub")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
