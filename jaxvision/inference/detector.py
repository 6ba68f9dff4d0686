"""A trained detector, applied to images."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxvision.inference.images import Image, Transform, image_batches, listed, path_of, pixels
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.plots.detections import draw_detections
from jaxvision.tasks.dense_detection import DenseDetection


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDetections:
    """The objects that were found in one image, best first.

    Attributes:
        boxes: xyxy in pixels of the image [K, 4] float32, inside it.
        scores: [K] float32, in [0, 1].
        classes: [K] int32, indices of `class_names`.
        class_names: The detector's.
        image: The file or the array.
        size: Height and width of the image in pixels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    class_names: tuple[str, ...]
    image: Image
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def names(self) -> list[str]:
        """Class name of each object."""
        return [self.class_names[k] for k in self.classes]

    def plot(self, *, min_size: int = 480) -> np.ndarray:
        """Draws the objects on the image; a file is read again.

        Args:
            min_size: An image whose longer side is shorter, in pixels, is enlarged by a whole
                number.

        Returns:
            RGB [H, W, 3] uint8.
        """
        return draw_detections(
            pixels(self.image),
            self.boxes,
            self.classes,
            self.scores,
            self.class_names,
            min_size=min_size,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the objects as values that JSON can hold; boxes are xyxy in pixels."""
        objects = zip(self.names, self.classes, self.scores, self.boxes, strict=True)
        return {
            "image": path_of(self.image),
            "height": self.size[0],
            "width": self.size[1],
            "objects": [
                {"name": name, "class": int(k), "score": float(score), "box": box.tolist()}
                for name, k, score, box in objects
            ],
        }


class Detector(Predictor):
    """Finds objects in images of any size.

        detector = jaxvision.load("runs/yolox")
        found = detector("image.jpg")
        found.names, found.boxes, found.plot()

    A network with weights from elsewhere becomes one, too:

        model, variables = pretrained.load("yolox_s", "yolox_s.pth")
        task = DenseDetection(model, YOLOXMethod(), class_names)
        detector = Detector(task, variables, Letterbox((640, 640)))

    The first image takes longer, since the network is compiled then.

    Attributes:
        class_names: By class index.
        batch_size: Images predicted at a time, at most.
    """

    task: DenseDetection

    def __init__(
        self,
        task: DenseDetection,
        variables: Mapping[str, Any],
        transform: Transform,
        *,
        batch_size: int = 16,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network, its method and the class names.
            variables: {"params", **other collections} of the network.
            transform: Prepares images as the evaluation of the network does.
            batch_size: Images predicted at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        super().__init__(task, variables, origin=origin)
        self.class_names = task.class_names
        self.batch_size = batch_size
        self._transform = transform

    def __call__(self, inputs: Image | Iterable[Image], *, threshold: float = 0.3) -> Any:
        """Finds the objects in images.

        Args:
            inputs: A file, RGB [H, W, 3] uint8, several of them, or a folder of files.
            threshold: Objects with a lower score are dropped; below the task's `score_threshold`
                it has no effect.

        Returns:
            `ImageDetections` for one image, a list of them for several, in order.

        Raises:
            DataError: If a file is missing or is not an image.
            ValueError: If an array is not an RGB image, or a folder holds no image.
        """
        images, single = listed(inputs)
        results: list[Any] = [None] * len(images)
        batches = image_batches(images, self._transform, self.batch_size)
        for original, (boxes, scores, classes, valid) in self.predict_batches(batches):
            height, width = original.size
            limit = np.array([width, height, width, height], np.float32)
            boxes = np.clip(boxes / np.float32(original.scale), 0, limit)
            # A box in the border that fills up the input has no area in the image.
            kept = valid & (scores >= threshold) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            results[original.number] = ImageDetections(
                boxes[kept],
                scores[kept],
                classes[kept],
                self.class_names,
                original.image,
                original.size,
            )
        return results[0] if single else results
