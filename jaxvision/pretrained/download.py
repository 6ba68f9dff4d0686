"""Downloads a file: resumed where it was broken off, verified, and in its place only when whole."""

import hashlib
import http.client
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from jaxvision.data.files import replacing
from jaxvision.pretrained.released import Released, released

_CHUNK = 1 << 20  # bytes
_SECONDS = 30.0  # without an answer
_LOCAL = ("127.0.0.1", "::1", "localhost")


def cache_folder() -> pathlib.Path:
    """Returns where downloads go: `$JAXVISION_CACHE`, or `jaxvision` in the user's cache."""
    if given := os.environ.get("JAXVISION_CACHE"):
        return pathlib.Path(given).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(cache).expanduser() / "jaxvision"


def cached(name: str) -> pathlib.Path:
    """Returns the downloaded weights of a name of `released.RELEASED`.

    Raises:
        FileNotFoundError: If they are not there; the message has the command that gets them.
        ValueError: If there is no such name.
    """
    file = cache_folder() / released(name).file
    if not file.is_file():
        raise FileNotFoundError(f"{name} is not downloaded yet; run: jaxvision download {name}")
    return file


def download(
    item: Released,
    folder: pathlib.Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[pathlib.Path, str]:
    """Downloads a file, or checks the one that is there.

    What came of a broken download stays beside it as `<file>.part` and is continued.

    Args:
        item: What to download, from an address that begins with https://.
        folder: Where to; made if it is missing.
        progress: Called with the bytes that are there and all bytes, 0 where that is not known.

    Returns:
        The file, and its SHA-256 in hexadecimal digits.

    Raises:
        ValueError: If the address is not allowed, or the file is another than the one released.
        OSError: If it cannot be reached, or the connection ends early; the same call continues.
    """
    _check_address(item.url)
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / item.file
    if not file.exists():
        part = file.with_name(f"{file.name}.part")
        _fetch(item.url, part, progress)
        if problem := _differs(item, digest := _sha256(part)):
            part.unlink()
            raise ValueError(f"{item.url}: {problem}; it was deleted, try again")
        with replacing(file) as whole:
            os.replace(part, whole)
        return file, digest
    if problem := _differs(item, digest := _sha256(file)):
        raise ValueError(f"{file}: {problem}; delete it to download it again")
    return file, digest


def _check_address(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOCAL):
        raise ValueError(f"expected an address that begins with https://, got {url}")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to where a download may begin."""

    def redirect_request(self, *request: Any) -> urllib.request.Request | None:
        """Takes (request, file, code, message, headers, new address)."""
        _check_address(request[-1])
        return super().redirect_request(*request)


def _fetch(url: str, part: pathlib.Path, progress: Callable[[int, int], None]) -> None:
    """Downloads into `part`, behind what is there."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "jaxvision"} | ({"Range": f"bytes={done}-"} if done else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=_SECONDS) as answer:
            done = done if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else 0
            with part.open("ab" if done else "wb") as out:
                while chunk := answer.read(_CHUNK):
                    out.write(chunk)
                    done += len(chunk)
                    progress(done, total)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            if error.headers.get("Content-Range", "").endswith(f"/{done}"):
                return  # all of it was there
            part.unlink()
            raise OSError(f"{part} was not a part of {url} and is deleted; try again") from error
        raise OSError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise OSError(f"{url} cannot be read: {reason}; the same command continues") from error
    if total and done < total:
        raise OSError(
            f"{url}: the connection ended after {done:,} of {total:,} bytes; "
            "the same command continues"
        )


def _sha256(file: pathlib.Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _differs(item: Released, digest: str) -> str:
    if digest.startswith(item.sha256):
        return ""
    return f"expected a SHA-256 that begins with {item.sha256}, got {digest}"
