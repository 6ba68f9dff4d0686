"""Files that are written whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes bytes, or text as UTF-8, to a path in an existing folder, over what is there.

    Bytes of a file's name that are not UTF-8 are written as escapes, which JSON reads, too.
    """
    if isinstance(content, str):
        content = content.encode(errors="backslashreplace")
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a name to write to, in the folder of `path`; what is there becomes `path` at the end.

    If the block raises, `path` stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
