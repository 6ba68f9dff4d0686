"""NumPy's `.npz` archives, of which only arrays are read and no more than they state."""

import os
import zipfile

import numpy as np

# Bytes of arrays that a byte of a compressed archive stands for at most, of more than so many.
MAX_RATIO, MAX_SMALL = 30, 1 << 26


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads all arrays of an archive.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is damaged, holds anything else, objects for example, which NumPy would
            have to unpickle, or far more than its own size.
    """
    try:
        # NumPy leaves a file that it opened itself open when it turns out to be damaged.
        with open(path, "rb") as data, np.load(data, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile) or archive.zip is None:
                raise ValueError("it is one array, not an archive")
            _check_members(archive.zip.infolist(), os.path.getsize(path))
            arrays = {name: archive[name] for name in archive.files}
            for name, value in arrays.items():
                if not isinstance(value, np.ndarray):  # its content, if that does not begin so
                    raise ValueError(f"{name} is no array")
            return arrays
    except FileNotFoundError:
        raise
    # Of a damaged archive NumPy and the standard library raise whatever its fields lead to.
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    for member in members:
        if not member.filename.endswith(".npy"):
            raise ValueError(f"{member.filename} is no array, which has a name that ends in .npy")
    total, most = sum(member.file_size for member in members), MAX_RATIO * size + MAX_SMALL
    if total > most:
        raise ValueError(f"its arrays have {total:,} bytes, expected at most {most:,}")
