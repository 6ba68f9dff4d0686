"""The arrays of a packed split: all that is not an encoded picture."""

import itertools
import os

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.npz import read_npz
from jaxvision.data.picture import MAX_SIDE

ARRAYS_FILE = "arrays.npz"

# Dtype and shape of a row of each array, as in `Annotations`.
ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "names": ("S", ()),
    "sizes": ("i4", (2,)),
    "offsets": ("i8", ()),
    "boxes": ("f4", (4,)),
    "classes": ("i4", ()),
    "crowd": ("?", ()),
    "area": ("f4", ()),
    "proposal_offsets": ("i8", ()),
    "proposals": ("f4", (4,)),
}
# Arrays that are all there or none; offsets say where the rows of each image begin. There may also
# be the arrays of `Segmentations`, `mask_data` and `mask_ends`, and `labels` [I] or [I, K].
OBJECT_COLUMNS = ("boxes", "classes", "crowd", "area")
GROUPS = (("names", "sizes"), ("offsets", *OBJECT_COLUMNS), ("proposal_offsets", "proposals"))


def read_arrays(folder: str, counts: set[int], classes: int) -> dict[str, np.ndarray]:
    """Reads the arrays and checks that they fit together.

    Args:
        folder: Of the packed split.
        counts: Numbers of records that its files hold, of each kind.
        classes: Number of its classes.

    Raises:
        DataError: If the file is missing or damaged.
    """
    path = os.path.join(folder, ARRAYS_FILE)
    try:
        arrays = read_npz(path)  # a zip file has checksums
        _check_types(arrays)
        groups = [group for group in GROUPS if group[0] in ("names", *arrays)]
        for name in itertools.chain(*groups):
            found, (kind, row) = arrays[name], ARRAYS[name]
            dtype = "S" if found.dtype.kind == "S" else found.dtype
            if dtype != kind or (found.ndim, found.shape[1:]) != (1 + len(row), row):
                raise ValueError(f"{name} is {found.dtype} {found.shape}")
    except FileNotFoundError as error:
        raise damaged(path, "the file is missing") from error
    except (ValueError, KeyError) as error:
        raise damaged(path, str(error)) from error
    images = len(arrays["names"])
    counts = counts | {len(arrays[name]) for name in ("sizes", "labels") if name in arrays}
    whole = counts == {images}
    for first, *columns in groups[1:]:
        offsets = arrays[first]
        whole = (
            whole
            and len(offsets) == images + 1
            and offsets[0] == 0
            and bool((np.diff(offsets) >= 0).all())
            and all(len(arrays[name]) == offsets[-1] for name in columns)
        )
    if "classes" in arrays:
        of_objects = arrays["classes"]
        whole = whole and len(arrays.get("mask_ends", of_objects)) == len(of_objects)
        whole = whole and _inside(of_objects, classes)
    if "mask_ends" in arrays:
        ends = np.concatenate([[0], arrays["mask_ends"]])
        whole = whole and bool((np.diff(ends) >= 0).all()) and ends[-1] == len(arrays["mask_data"])
    if "labels" in arrays and arrays["labels"].ndim == 1:
        whole = whole and _inside(arrays["labels"], classes)
    if not whole:
        raise damaged(path, "its arrays do not fit together, or not to the description")
    return arrays


def _inside(numbers: np.ndarray, count: int) -> bool:
    return bool(((numbers >= 0) & (numbers < count)).all())


def _check_types(arrays: dict[str, np.ndarray]) -> None:
    """Checks the arrays that `ARRAYS` does not list, and the numbers that nothing else does."""
    for name, axes in (("mask_ends", 1), ("mask_data", 1), ("labels", 2)):
        found = arrays.get(name)
        if found is not None and (found.dtype.kind not in "iubf" or not 0 < found.ndim <= axes):
            raise ValueError(f"{name} is {found.dtype} {found.shape}")
    if ("mask_ends" in arrays) != ("mask_data" in arrays):
        raise ValueError("of mask_ends and mask_data one is missing")
    if "proposals" in arrays and not np.isfinite(arrays["proposals"]).all():
        raise ValueError("proposals must be finite numbers")
    if "sizes" in arrays and not ((arrays["sizes"] > 0) & (arrays["sizes"] <= MAX_SIDE)).all():
        raise ValueError("sizes must be positive numbers of pixels")


def damaged(path: str, reason: str) -> DataError:
    """Returns the error of a file of a packed split."""
    return DataError(
        f"{path}: {reason}. The packed split is damaged or not copied whole: copy it or pack it "
        "again (`jaxvision pack --overwrite`)."
    )
