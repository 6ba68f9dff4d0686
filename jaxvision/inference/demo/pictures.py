"""Answers to pictures: objects, classes, the class of every pixel, an enlargement."""

import math
from http import HTTPStatus
from typing import Any

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image, image_size
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.demo.answers import Answers, address
from jaxvision.inference.demo.requests import Refused
from jaxvision.inference.detector import Detector
from jaxvision.inference.few_shot import FewShotClassifier
from jaxvision.inference.images import image_batches, stop
from jaxvision.inference.segmenter import Segmenter
from jaxvision.inference.upscaler import Upscaler
from jaxvision.inference.views import Views
from jaxvision.plots.segmentation import class_colours
from jaxvision.plots.style import PALETTE

# Pixels of a picture, at most; twice that of most telephones' pictures.
MAX_PIXELS = 64_000_000
# Objects of a lower score are not sent to the page, where the slider for the score begins here.
FLOOR = 0.05
# Classes that are shown.
_TOP = 8
# Pixels of an enlarged picture, at most, which the page gets as a PNG file.
_MOST_ENLARGED = 16_000_000


class Pictures(Answers):
    """Answers to what an image file holds."""

    content = "image/"

    def read(self, body: bytes) -> np.ndarray:
        """Decodes a file to RGB [H, W, 3] uint8; see `Answers.read`."""
        too_large = Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"expected a picture of at most {MAX_PIXELS // 1_000_000} million pixels, got more",
        )
        try:
            if math.prod(image_size(body, "the picture")) > MAX_PIXELS:
                raise too_large
            return decode_image(body, "the picture")
        except DataError as error:
            if error.code == "too-many-pixels":
                raise too_large from error
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "expected a picture, as PNG or JPEG, got one that is truncated, damaged or of "
                "another format",
            ) from error

    def example(self) -> np.ndarray:
        """Returns a black picture of a usual size."""
        return np.zeros((480, 640, 3), np.uint8)


class Detections(Pictures):
    """All candidates above a low score; the page applies both thresholds.

    So the network runs once a picture, and a slider costs nothing.
    """

    kind = "detector"

    def __init__(self, detector: Detector, limit: int) -> None:
        super().__init__(limit)
        self._of_run = detector
        self._detector = detector.unsuppressed(FLOOR)

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        """Returns the candidates as [class, score, x1, y1, x2, y2] in pixels of the picture."""
        # Not clipped to the picture: suppression compares whole boxes.
        views = Views(self._detector.transform)
        row = self._detector.row
        batches = image_batches([found], views, 1, lambda _, image, error: stop(image, error), row)
        ((part, objects),) = self._detector.predict_batches(batches)
        valid = objects.valid
        boxes = part.view.to_image(objects.boxes[valid])
        return {
            **_size(found),
            "objects": [
                [int(k), round(float(score), 4), *(round(float(x), 2) for x in box)]
                for k, score, box in zip(
                    objects.classes[valid], objects.scores[valid], boxes, strict=True
                )
            ],
        }

    def _more(self) -> dict[str, Any]:
        task = self._of_run.task
        return {
            "classes": list(self._of_run.class_names),
            "colours": PALETTE,
            "floor": FLOOR,
            "threshold": max(FLOOR, self._of_run.threshold),
            "iou": task.nms_threshold,
            "class_aware": task.class_aware,
            "most": task.max_detections,
        }


class ImageClasses(Pictures):
    """The most probable classes of a picture."""

    kind = "classifier"

    def __init__(self, classifier: Classifier | FewShotClassifier, limit: int) -> None:
        super().__init__(limit)
        self._classifier = classifier.replaced(batch_size=1)

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        """Returns the most probable classes, and which of them are said to be there."""
        classes = self._classifier(found)
        return {**_size(found), "names": classes.names, "classes": classes.top(_TOP)}

    def _more(self) -> dict[str, Any]:
        return {"classes": list(self._classifier.class_names)}


class LabelMaps(Pictures):
    """The classes' colours as a picture whose background is transparent; the page blends it."""

    kind = "segmenter"

    def __init__(self, segmenter: Segmenter, limit: int) -> None:
        super().__init__(limit)
        self._segmenter = segmenter.replaced(batch_size=1)
        self._colours = class_colours(segmenter.class_names)

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        """Returns the share of each class, and the colours."""
        result = self._segmenter(found)
        colours = self._colours[result.label_map]
        # Of the classes, the background alone is black.
        opaque = np.where(colours.any(axis=-1, keepdims=True), 255, 0).astype(np.uint8)
        return {
            **_size(found),
            "names": result.names,
            "classes": [[row["name"], row["share"]] for row in result.rows()],
            "overlay": address(np.concatenate([colours, opaque], axis=-1)),
        }

    def _more(self) -> dict[str, Any]:
        names = self._segmenter.class_names
        return {"classes": list(names), "colours": self._colours[: len(names)].tolist()}


class Enlargements(Pictures):
    """A picture enlarged; the page lays it over the one that its browser enlarges."""

    kind = "upscaler"

    def __init__(self, upscaler: Upscaler, limit: int) -> None:
        super().__init__(limit)
        self._upscaler = upscaler

    def read(self, body: bytes) -> np.ndarray:
        """Decodes a file as `Pictures` does, of fewer pixels."""
        found, scale = super().read(body), self._upscaler.task.scale
        most = _MOST_ENLARGED // scale**2
        if found.shape[0] * found.shape[1] > most:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"expected a picture of at most {most:,} pixels, which becomes {scale} times as "
                f"wide and high, got {found.shape[1]:,} x {found.shape[0]:,}",
            )
        return found

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        """Returns the enlarged picture and its size."""
        result = self._upscaler(found)
        return {
            **_size(result.upscaled),
            "names": [result.summary()],
            "classes": [],
            "overlay": address(result.upscaled),
        }

    def example(self) -> np.ndarray:
        """Returns a black picture as small as those that are worth enlarging."""
        return np.zeros((96, 128, 3), np.uint8)


def _size(image: np.ndarray) -> dict[str, int]:
    return {"height": image.shape[0], "width": image.shape[1]}
