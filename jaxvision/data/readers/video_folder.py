"""Clips of videos, in a folder for each class: files that OpenCV decodes, or folders of frames."""

import os
import pathlib

import cv2
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import read_image
from jaxvision.data.sample import Sample
from jaxvision.data.source import Annotation
from jaxvision.data.sources.labelled import Labelled
from jaxvision.data.video import VIDEO_SUFFIXES, open_capture

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


class VideoFolder(Labelled):
    """Videos that are decoded when they are read; of each a clip of frames at equal distances."""

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        labels: np.ndarray,
        videos: list[pathlib.Path],
        frames: int,
    ) -> None:
        """Takes what `Labelled` takes, the videos and the number of frames of a clip."""
        super().__init__(name, classes, labels)
        self._videos, self._frames = videos, frames

    def name(self, index: int) -> str:
        """Returns the path of a video."""
        return str(self._videos[index])

    def __getitem__(self, index: int) -> Sample:
        """Reads a clip with its class."""
        self.check_index(index)
        return Sample(self.image(index)[0], index, label=self.label(index))

    def annotation(self, index: int) -> Annotation:
        """Returns the height and width of a video's frames, which it decodes."""
        height, width = self.image(index)[0].shape[1:3]
        return Annotation(height, width)

    def image(self, index: int, max_reduction: int = 1) -> tuple[np.ndarray, int]:
        """Reads a clip [T, H, W, 3] at full size."""
        del max_reduction
        return read_clip(self._videos[index], self._frames), 1


def video_folder(
    path: str, split: str, *, classes: tuple[str, ...] | None = None, frames: int = 16
) -> VideoFolder:
    """Opens `<path>/<split>/<class>/`, whose videos are files or folders of frames.

    Args:
        path: Folder of the dataset.
        split: Name of a folder in it.
        classes: The classes in order; by default the folders' names, sorted.
        frames: Of a clip.

    Raises:
        DataError: If there is no such folder, or no video, or a class that is not among `classes`.
    """
    root = pathlib.Path(path) / split
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder; expected {split}/<class>/<video>")
    found = tuple(sorted(folder.name for folder in root.iterdir() if folder.is_dir()))
    names = found if classes is None else classes
    if others := sorted(set(found) - set(names)):
        raise DataError(f"{root}: the class {others[0]} is none of {', '.join(names)}")
    videos, labels = [], []
    for name in found:
        for entry in sorted((root / name).iterdir()):
            if entry.is_dir() or entry.suffix.lower() in VIDEO_SUFFIXES:
                videos.append(entry)
                labels.append(names.index(name))
    return VideoFolder(str(root), names, np.array(labels, np.int32), videos, frames)


def read_clip(video: str | os.PathLike[str], frames: int) -> np.ndarray:
    """Reads frames at equal distances.

    Args:
        video: A file, or a folder of pictures that are its frames, sorted by name.
        frames: Their number, T.

    Returns:
        RGB [T, H, W, 3] uint8.

    Raises:
        DataError: If it is missing, has fewer frames, or cannot be decoded.
    """
    path = pathlib.Path(video).expanduser()
    return (_frames_of_folder if path.is_dir() else _frames_of_file)(path, frames)


def list_clips(folder: pathlib.Path) -> list[pathlib.Path]:
    """Lists the videos of a folder and those below it, or the folder itself if it holds frames."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if any(entry.suffix.lower() in _PICTURES for entry in entries):
        return [folder]
    found = []
    for entry in entries:
        if entry.is_dir():
            found += list_clips(entry)
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            found.append(entry)
    return found


def _frames_of_file(path: pathlib.Path, count: int) -> np.ndarray:
    capture = open_capture(str(path))
    try:
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # The count of a header may be wrong: what ends early is an error below.
        wanted = places(max(total, 1), count, path)
        frames, number = {}, 0
        while number <= wanted[-1] and capture.grab():
            if number in wanted:
                frames[number] = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
            number += 1
    finally:
        capture.release()
    if number <= wanted[-1]:
        raise DataError(
            f"{path}: the video ends after {number} of {total} frames, or cannot be decoded; copy "
            "or convert it again"
        )
    if len({frame.shape for frame in frames.values()}) > 1:
        raise DataError(f"{path}: the frames of a video must be of one size; convert it again")
    return np.stack([frames[n] for n in wanted])


def _frames_of_folder(path: pathlib.Path, count: int) -> np.ndarray:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES)
    pictures = [read_image(str(files[n])) for n in places(len(files), count, path)]
    if len({picture.shape for picture in pictures}) > 1:
        raise DataError(f"{path}: the frames of a clip must be of one size")
    return np.stack(pictures)


def places(total: int, count: int, path: str | os.PathLike[str]) -> list[int]:
    """Returns the numbers of `count` frames at equal distances.

    Args:
        total: Frames of the video.
        count: How many are wanted.
        path: Of the video, for the message.

    Raises:
        DataError: If there are fewer.
    """
    if total < count:
        raise DataError(f"{path}: has {total} frames, fewer than the {count} of data.frames")
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]
