"""A trained classifier of clips, applied to videos."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxvision.data.readers.video_folder import list_clips, places, read_clip
from jaxvision.data.sample import Sample
from jaxvision.data.source import Transform
from jaxvision.inference.classifier import Classifier, ImageClasses
from jaxvision.inference.images import Image, Part
from jaxvision.inference.views import View
from jaxvision.plots.clip import side_by_side
from jaxvision.plots.probabilities import probability_chart
from jaxvision.plots.style import to_rgb
from jaxvision.tasks.classification import ImageClassification


@dataclasses.dataclass(frozen=True, eq=False)
class ClipClasses(ImageClasses):
    """The classes of a clip.

    Attributes:
        frames: Those that the network saw, T.
    """

    frames: int

    def plot(self, count: int = 5) -> np.ndarray:
        """Draws four frames beside the most probable classes; a file is read again.

        Returns:
            RGB [H, W, 3] uint8.
        """
        clip = read(self.image, self.frames)
        return to_rgb(probability_chart(side_by_side(clip), self.top(count)))


class ClipClassifier(Classifier):
    """Says what clips show.

        classifier = jaxvision.load("runs/video")
        found = classifier("jump.mp4")
        found.name, found.top(5), found.plot()

    A clip is a video file, a folder of frames or an array; the network sees frames of it at equal
    distances.

    Attributes:
        frames: That the network sees, T.
    """

    reads = "clips"

    def __init__(
        self,
        task: ImageClassification,
        variables: Mapping[str, Any],
        transform: Transform,
        *,
        frames: int,
        **options: Any,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network and the class names.
            variables: {"params", **other collections} of the network.
            transform: Prepares clips as the evaluation of the network does.
            frames: That the network sees, T.
            **options: As of `Classifier`.
        """
        super().__init__(task, variables, transform, **options)
        self.frames = frames
        self._views = self._prepared

    def __call__(self, inputs: Image | Iterable[Image]) -> Any:
        """Predicts clips.

        Args:
            inputs: A video file, a folder of frames, RGB [T, H, W, 3] uint8, several of them, or a
                folder of videos.

        Returns:
            `ClipClasses` for one clip, a list of them for several, in order.

        Raises:
            DataError: If a video is missing, damaged, or has fewer frames than the network sees.
            ValueError: If an array is not a clip, or a folder holds no video.
        """
        if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
            return super().__call__([inputs])[0]
        if isinstance(inputs, (str, os.PathLike)):
            path = pathlib.Path(inputs)
            clips = list_clips(path) if path.is_dir() else [path]
            if not clips:
                raise ValueError(f"{path} holds no video and no frames")
            found = super().__call__(clips)
            return found[0] if clips == [path] else found
        return super().__call__(list(inputs))

    def read(self, image: Image) -> np.ndarray:
        """Returns the frames [T, H, W, 3] of a clip that the network sees."""
        return read(image, self.frames)

    def _prepared(self, clip: np.ndarray) -> list[tuple[View, np.ndarray]]:
        sample = self.transform(Sample(clip, 0), np.random.default_rng(0))
        height, width = clip.shape[1:3]
        return [(View(0, 0, width, height, sample.scale), sample.image)]

    def _shown(self) -> np.ndarray:
        return self._prepared(np.zeros((self.frames, 64, 64, 3), np.uint8))[0][1]

    def _result(self, part: Part, parts: list[tuple[Part, Any]]) -> ClipClasses:
        ((_, probabilities),) = parts
        many = self.task.multi_label
        return ClipClasses(
            probabilities, self.class_names, many, part.image, part.size, self.frames
        )


def read(clip: Image, frames: int) -> np.ndarray:
    """Returns frames of a clip at equal distances, RGB [T, H, W, 3] uint8.

    Args:
        clip: A video file, a folder of frames, or an array.
        frames: Their number, T.

    Raises:
        DataError: If a video is missing or damaged, or a clip has fewer frames.
        ValueError: If an array is not a clip.
    """
    if not isinstance(clip, np.ndarray):
        return read_clip(clip, frames)
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[3] != 3 or not clip.size:
        raise ValueError(
            f"a clip must be RGB [T, H, W, 3] uint8, got {list(clip.shape)} {clip.dtype}"
        )
    return clip[places(len(clip), frames, "the clip")]
