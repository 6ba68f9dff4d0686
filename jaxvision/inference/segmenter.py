"""A trained segmentation network, applied to images."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Self

import jax
import numpy as np

from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.files import write_whole
from jaxvision.data.label_map import encode_label_map
from jaxvision.inference.image_predictor import ImagePredictor
from jaxvision.inference.images import Image, Part, path_of, pixels
from jaxvision.inference.label_views import Joined, LabelViews
from jaxvision.inference.predictor import Origin
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.inference.reports.segmentation import report_segmentation
from jaxvision.inference.result import Result
from jaxvision.plots.segmentation import class_colours, legend, overlay
from jaxvision.tasks.segmentation import SemanticSegmentation
from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.evaluate import Evaluation, Predict


@dataclasses.dataclass(frozen=True, eq=False)
class SegmentedImage(Result):
    """The class of every pixel of one image.

    Attributes:
        label_map: Class of each pixel [H, W] uint8.
        class_names: The network's.
        image: The file or the array.
        size: Height and width of the image in pixels.
    """

    label_map: np.ndarray
    class_names: tuple[str, ...]
    image: Image
    size: tuple[int, int]

    columns = ("name", "pixels", "share")

    @property
    def pixels(self) -> dict[str, int]:
        """Counts the pixels of each class that is seen, the largest first."""
        counts = np.bincount(self.label_map.ravel(), minlength=len(self.class_names))
        order = np.argsort(-counts, kind="stable")
        return {self.class_names[k]: int(counts[k]) for k in order if counts[k]}

    @property
    def names(self) -> list[str]:
        """The classes that are seen, the largest first."""
        return list(self.pixels)

    def mask(self, name: str) -> np.ndarray:
        """Returns which pixels are of a class [H, W] bool.

        Raises:
            ValueError: If there is no such class.
        """
        if name not in self.class_names:
            raise ValueError(f"name must be one of {', '.join(self.class_names)}, got {name}")
        return self.label_map == self.class_names.index(name)

    def plot(self) -> np.ndarray:
        """Paints the classes over the image, with a legend below; a file is read again.

        Returns:
            RGB [H', W, 3] uint8.
        """
        painted = overlay(pixels(self.image), self.label_map, self.class_names)
        numbers = np.unique(self.label_map).tolist()
        return np.concatenate([painted, legend(self.class_names, numbers, painted.shape[1])])

    def save_mask(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the label map as a palette PNG, whose indices are the classes.

        Args:
            path: Ends in .png; missing folders are made.

        Raises:
            ValueError: If it has another ending.
            OSError: If it cannot be written.
        """
        path = pathlib.Path(path)
        if path.suffix.lower() != ".png":
            raise ValueError(f"path must end in .png, got {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encode_label_map(self.label_map, class_colours(self.class_names)))
        return path

    def to_dict(self) -> dict[str, Any]:
        """Returns the share of each class that is seen as values that JSON can hold."""
        return {
            "image": path_of(self.image),
            "height": self.size[0],
            "width": self.size[1],
            "classes": self.rows(),
        }

    def summary(self) -> str:
        """Names the classes with their shares of the pixels."""
        return ", ".join(f"{row['name']} {row['share']:.1%}" for row in self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each class that is seen, the largest first."""
        total = self.label_map.size
        return [
            {"name": name, "pixels": count, "share": count / total}
            for name, count in self.pixels.items()
        ]


class Segmenter(ImagePredictor):
    """Says of what class every pixel of an image is.

        segmenter = jaxvision.load("runs/unet")
        found = segmenter("image.jpg")
        found.label_map, found.names, found.mask("car"), found.plot()
        found.save_mask("image.png")
        large = segmenter.replaced(tile=512)

    The first image takes longer, since the network is compiled then.

    Attributes:
        class_names: By class index.
        batch_size: Images, or views of images, predicted at a time, at most.
    """

    options = ("tta", "tile", "batch_size")
    formats = ("json", "csv", "masks")
    task: SemanticSegmentation
    _views: LabelViews

    def __init__(
        self,
        task: SemanticSegmentation,
        variables: Mapping[str, Any],
        transform: Letterbox,
        *,
        batch_size: int = 8,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network and the class names.
            variables: {"params", **other collections} of the network.
            transform: Prepares images as the evaluation of the network does.
            batch_size: Images predicted at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        super().__init__(
            task,
            variables,
            transform,
            class_names=task.class_names,
            batch_size=batch_size,
            origin=origin,
        )
        self._views = LabelViews(transform)
        self._infer = self._compiled_probabilities(task)

    def replaced(
        self, *, tta: bool | None = None, tile: int | None = None, batch_size: int | None = None
    ) -> Self:
        """Returns a segmenter of the same variables with other options; None keeps an option.

        Args:
            tta: Whether probabilities are the mean of those of the image and its mirror image, and
                without `tile` of those at 3/4 and 5/4 of the input's size, too.
            tile: Side of windows in pixels of the image, a multiple of 32, that are seen one by one
                at full resolution; they overlap by a quarter or more, and are blended there.
            batch_size: Images, or views of images, predicted at a time.

        Raises:
            ValueError: If a value is out of its range.
        """
        changed = self._copied(batch_size)
        views = {"tta": tta, "tile": tile}
        changed._views = dataclasses.replace(
            self._views, **{name: value for name, value in views.items() if value is not None}
        )
        return changed

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: classes, confusions, pictures."""
        return report_segmentation(evaluation, data)

    def _compiled_probabilities(self, task: SemanticSegmentation) -> Predict:
        def probabilities(
            params: Params, state: ModelState, batch: Batch, key: jax.Array
        ) -> jax.Array:
            del key
            return task.probabilities(params, state, batch)

        return jax.jit(probabilities)

    def _outputs(
        self, task: Any, given: tuple[Params, ModelState, Batch], key: jax.Array, nms: bool
    ) -> dict[str, jax.Array]:
        del key
        if nms:
            raise ValueError("nms is for detectors, got a segmenter")
        return {"probabilities": task.probabilities(*given)}

    def _collected(self) -> Joined:
        return Joined(self._views.tile)

    def _result(self, part: Part, parts: Joined) -> SegmentedImage:
        label_map = parts.label_map(part.size)
        return SegmentedImage(label_map, self.class_names, part.image, part.size)
