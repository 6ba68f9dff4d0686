"""Pictures and videos by name: files, folders, patterns, lists and cameras."""

import glob
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.readers.checks import IMAGE_SUFFIXES, read_text
from jaxvision.data.readers.video_folder import list_clips
from jaxvision.data.video import VIDEO_SUFFIXES, open_capture

# What a camera that does not say so is taken to deliver, frames a second.
_CAMERA_RATE = 25.0


class Video:
    """A video file or a camera.

    Attributes:
        path: The file; `camera:<number>` for a camera.
        camera: Number of the camera, None for a file.
        rate: Frames a second.
        total: Frames that the file says to have; None where that is not known.
    """

    def __init__(self, path: str, camera: int | None = None) -> None:
        """Opens it.

        Raises:
            DataError: If it cannot be opened, or its frames have too many pixels.
        """
        self.path, self.camera = path, camera
        self._capture = open_capture(path, camera)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else _CAMERA_RATE
        count = round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.total = count if camera is None and count > 0 else None

    def frames(self) -> Iterator[np.ndarray]:
        """Yields the frames, RGB [H, W, 3] uint8.

        Raises:
            DataError: At the end, if that comes clearly before the one which the file states.
        """
        read = 0
        while True:
            there, frame = self._capture.read()
            if not there:
                break
            read += 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        self._capture.release()
        # Some containers only estimate their number of frames.
        if read == 0 or (self.total is not None and read < 0.98 * self.total - 1):
            stated = f" of {self.total:,}" if self.total is not None else ""
            raise DataError(
                f"{self.path}: the video ends after {read:,}{stated} frames; copy or download the "
                "file again"
            )


class Inputs:
    """What a command line names.

    Attributes:
        pictures: Files, in order.
        videos: Files, in order, and cameras as `camera:<number>`.
        skipped: Files in folders that are neither.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Finds the files.

        Args:
            words: Each a picture, a video, a folder, a pattern with `*`, a `.txt` file with a path
                on each line, or a number or `camera:<number>` for a camera.

        Raises:
            FileNotFoundError: If there is no such file.
            DataError: If a list cannot be read.
            ValueError: If there is neither a picture nor a video.
        """
        self.pictures: list[str] = []
        self.videos: list[str] = []
        self.skipped: list[str] = []
        for word in words:
            self._add(word)
        if not self.pictures and not self.videos:
            raise ValueError(
                f"{', '.join(words)} holds no picture ({', '.join(IMAGE_SUFFIXES)}) and no video "
                f"({', '.join(VIDEO_SUFFIXES)})"
            )

    def _add(self, word: str) -> None:
        path = os.path.expanduser(word)
        if os.path.isdir(path):
            files = sorted(str(file) for file in pathlib.Path(path).rglob("*") if file.is_file())
            self._sort(file for file in files if not os.path.basename(file).startswith("."))
        elif os.path.isfile(path):
            suffix = os.path.splitext(path)[1].lower()
            if suffix == ".txt":
                self._add_list(path)
            elif suffix in VIDEO_SUFFIXES:
                self.videos.append(path)
            else:
                # One that is no picture is a fault when it is read.
                self.pictures.append(path)
        elif re.fullmatch(r"(camera:)?\d+", word):
            self.videos.append(f"camera:{word.rpartition(':')[2]}")
        elif glob.has_magic(path):
            files = sorted(glob.glob(path, recursive=True))
            if not files:
                raise FileNotFoundError(f"no file is named like {word}")
            self._sort(file for file in files if os.path.isfile(file))
        else:
            raise FileNotFoundError(
                "expected a picture, a video, a folder, a pattern, a list or a camera, got "
                f"{word}, which is not there"
            )

    def _sort(self, files: Iterable[str]) -> None:
        for file in files:
            suffix = os.path.splitext(file)[1].lower()
            if suffix in IMAGE_SUFFIXES:
                self.pictures.append(file)
            elif suffix in VIDEO_SUFFIXES:
                self.videos.append(file)
            else:
                self.skipped.append(file)

    def _add_list(self, path: str) -> None:
        """Adds what a list names, relative to the list or to the working directory."""
        folder = os.path.dirname(path)
        for line in read_text(path, "list of pictures").splitlines():
            if name := line.strip():
                beside = os.path.join(folder, os.path.expanduser(name))
                file = beside if os.path.exists(beside) else os.path.expanduser(name)
                suffix = os.path.splitext(file)[1].lower()
                (self.videos if suffix in VIDEO_SUFFIXES else self.pictures).append(file)


class ClipInputs(Inputs):
    """What a command line names, for a predictor that takes a whole video as one input.

    Attributes:
        pictures: Video files, and folders of frames.
        videos: None.
        skipped: None.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Finds the clips.

        Args:
            words: Each a video, a folder of frames, a folder of videos, a pattern with `*`, or a
                `.txt` file with a path on each line.

        Raises:
            FileNotFoundError: If there is no such file.
            DataError: If a list cannot be read.
            ValueError: If there is no clip.
        """
        self.pictures, self.videos, self.skipped = [], [], []
        for word in words:
            path = pathlib.Path(word).expanduser()
            if path.is_dir():
                self.pictures += map(str, list_clips(path))
            else:
                self._add(word)
        self.pictures += self.videos
        self.videos = []
        if not self.pictures:
            raise ValueError(
                f"{', '.join(words)} holds no video ({', '.join(VIDEO_SUFFIXES)}) and no frames"
            )


def open_video(path: str) -> Video:
    """Opens a video of `Inputs`.

    Raises:
        DataError: If that fails.
    """
    camera = re.fullmatch(r"camera:(\d+)", path)
    return Video(path, int(camera[1]) if camera else None)
