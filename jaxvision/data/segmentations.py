"""Instance masks as COCO stores them: outlines or run lengths, decoded when they are needed.

https://cocodataset.org/#format-data: `segmentation` is a list of polygons `[x1, y1, x2, y2, ...]`,
or `{size, counts}` with run lengths by columns, as a list or in COCO's compressed text. Masks are
those of COCO's own mask API, of which faster-coco-eval has a copy.
"""

import array
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as coco_mask

from jaxvision.data.errors import DataError, shown

_POLYGONS, _RUNS = b"P", b"R"
# Longest outline of an object in pixels: drawing it takes memory for each.
_LONGEST = 2_000_000
_MAX_BYTES = 1 << 31  # of the decoded masks of an image
# What the library of masks raises for damaged ones.
_FAULTS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


def run_lengths(masks: np.ndarray) -> tuple[dict[str, Any], ...]:
    """Encodes masks [n, H, W] bool as COCO does: `{size, counts}` each."""
    return tuple(coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks)


class Segmentations:
    """The segmentations of M objects, one after another in a single block of bytes.

    An object's bytes are none, or `P`, the number of polygons and their lengths, and all
    coordinates as float64, or `R`, height and width, and the compressed run lengths.
    """

    def __init__(self, data: bytes = b"", ends: np.ndarray | None = None) -> None:
        """Begins without objects, or with the `arrays` of another instance."""
        self._data = bytearray(data)
        self._ends = array.array("q", [] if ends is None else ends.tolist())
        self._order: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._ends) if self._order is None else len(self._order)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the bytes [N] uint8 and where those of each object end [M] int64."""
        return np.frombuffer(self._data, np.uint8), np.array(self._ends, np.int64)

    def append(self, segmentation: Any, where: str) -> None:
        """Adds a field as parsed from JSON; None, or an empty list, for an object without one."""
        try:
            if isinstance(segmentation, dict):
                height, width = segmentation["size"]
                counts = segmentation["counts"]
                if not isinstance(counts, str):
                    found: Any = coco_mask.frPyObjects(segmentation, height, width)
                    counts = found["counts"].decode()
                size = np.array([height, width], np.int32)
                self._data += _RUNS + size.tobytes() + counts.encode("ascii")
            elif segmentation:
                polygons = [np.asarray(each, np.float64) for each in segmentation]
                if any(each.ndim != 1 or len(each) < 6 or len(each) % 2 for each in polygons):
                    raise ValueError("a polygon needs three or more x, y")
                lengths = np.array([len(polygons), *map(len, polygons)], np.int32)
                self._data += _POLYGONS + lengths.tobytes() + np.concatenate(polygons).tobytes()
        except _FAULTS as error:
            raise DataError(
                f"{where}: segmentation must be a list of polygons [x1, y1, x2, y2, x3, y3, ...] "
                f"or {{size, counts}}, got {shown(segmentation)} ({str(error)[:100]})"
            ) from error
        self._ends.append(len(self._data))

    def append_mask(self, mask: np.ndarray) -> None:
        """Adds a mask [H, W] bool."""
        runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        self._data += _RUNS + np.array(mask.shape, np.int32).tobytes() + runs["counts"]
        self._ends.append(len(self._data))

    def take(self, rows: np.ndarray) -> "Segmentations":
        """Returns the segmentations of some objects [m], in that order, without copying them."""
        result = Segmentations()
        result._data, result._ends = self._data, self._ends
        result._order = rows if self._order is None else self._order[rows]
        return result

    def masks(self, rows: slice, boxes: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
        """Decodes the masks [n, H, W] bool of an image's objects.

        Args:
            rows: Which objects.
            boxes: xyxy of the objects in pixels [n, 4], filled for one without segmentation.
            size: Height and width of the image.
            name: Of the image, for the message.

        Raises:
            DataError: If run lengths are damaged or of another size, an outline is longer than any
                object's, or the masks take more than 2 GiB.
        """
        if len(boxes) * size[0] * size[1] > _MAX_BYTES:
            raise DataError(
                f"{name}: the masks of {len(boxes):,} objects on {size[1]} x {size[0]} pixels take "
                f"more than {_MAX_BYTES:,} bytes. Cut the image into tiles, or train without masks."
            )
        result = np.zeros((len(boxes), *size), bool)
        for number, box in enumerate(boxes):
            try:
                runs = self.runs(rows.start + number, size, name)
                mask = None if runs is None else coco_mask.decode(runs)
            except DataError:
                raise
            except _FAULTS as error:
                raise DataError(
                    f"{name}: the mask of object {number} is damaged: {error}. Export the "
                    "annotations again."
                ) from error
            if mask is None:
                x1, y1, x2, y2 = np.rint(box).astype(int)
                result[number, y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = True
            else:
                result[number] = mask
        return result

    def runs(self, row: int, size: tuple[int, int], name: str) -> dict[str, Any] | None:
        """Returns an object's mask in run lengths, `{size, counts}`, or None; see `masks`."""
        place = row if self._order is None else int(self._order[row])
        data = bytes(self._data[self._ends[place - 1] if place else 0 : self._ends[place]])
        kind, rest = data[:1], data[1:]
        if not kind:
            return None
        if kind == _RUNS:
            stated = tuple(np.frombuffer(rest, np.int32, 2).tolist())
            if stated != tuple(size):
                raise DataError(
                    f"{name}: a mask is {stated[0]} x {stated[1]} pixels (height x width), the "
                    f"image has {size[0]} x {size[1]}. Export the annotations again."
                )
            return {"size": list(size), "counts": rest[8:]}
        count = int(np.frombuffer(rest, np.int32, 1)[0])
        lengths = np.frombuffer(rest, np.int32, count, offset=4)
        numbers = np.frombuffer(rest, np.float64, offset=4 + 4 * count)
        parts = np.split(numbers, np.cumsum(lengths)[:-1])
        outline = sum(_length(part.reshape(-1, 2)) for part in parts)
        if not outline <= _LONGEST:
            raise DataError(
                f"{name}: the outline of an object is {outline:,.0f} pixels long, expected at most "
                f"{_LONGEST:,}. Correct its coordinates."
            )
        found: Any = coco_mask.frPyObjects([part.tolist() for part in parts], *size)
        return coco_mask.merge(found)


def _length(points: np.ndarray) -> float:
    """Returns in how many steps of a pixel the outline [P, 2] is drawn."""
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())
