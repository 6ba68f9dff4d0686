"""What the demo's page is told of a predictor, and of what it predicts."""

import abc
import base64
import dataclasses
import json
import math
from http import HTTPStatus
from typing import Any

import cv2
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.image import decode_image, image_size
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.demo.requests import Refused
from jaxvision.inference.detector import Detector
from jaxvision.inference.images import image_batches, stop
from jaxvision.inference.predictor import Predictor
from jaxvision.inference.segmenter import Segmenter
from jaxvision.inference.translator import Translator
from jaxvision.inference.views import Views
from jaxvision.plots.segmentation import class_colours
from jaxvision.plots.style import PALETTE

# Pixels of a picture, at most; twice that of most telephones' pictures.
MAX_PIXELS = 64_000_000
# Objects of a lower score are not sent to the page, where the slider for the score begins here.
FLOOR = 0.05
# Classes that are shown, and bytes of a text.
_TOP, _MAX_TEXT = 8, 20_000


class Answers(abc.ABC):
    """Turns the body of a request into an answer.

    Attributes:
        kind: What the page shows: `detector`, `classifier`, `segmenter` or `translator`.
        content: Start of the body's type that is expected.
        limit: Bytes of a body, at most.
    """

    kind: str
    content: str

    def __init__(self, limit: int) -> None:
        self.limit = limit

    @abc.abstractmethod
    def read(self, body: bytes) -> Any:
        """Turns a body into an input.

        Raises:
            Refused: If it cannot be read.
        """

    @abc.abstractmethod
    def predict(self, found: Any) -> dict[str, Any]:
        """Predicts an input; returns values that JSON can hold.

        Raises:
            ValueError: If the predictor does not take it.
        """

    @abc.abstractmethod
    def example(self) -> Any:
        """Returns an input with which the programs are compiled."""

    def describe(self) -> dict[str, Any]:
        """Returns what the page must know."""
        return {"kind": self.kind, "limit": self.limit, **self._more()}

    def _more(self) -> dict[str, Any]:
        return {}


def answers(predictor: Predictor, limit: int) -> Answers:
    """Returns the answers of a predictor.

    Args:
        predictor: A detector, a classifier, a segmenter or a translator.
        limit: Bytes of a picture, at most.
    """
    if isinstance(predictor, Detector):
        return _Detections(predictor, limit)
    if isinstance(predictor, Classifier):
        return _Classes(predictor, limit)
    if isinstance(predictor, Segmenter):
        return _LabelMaps(predictor, limit)
    if isinstance(predictor, Translator):
        return _Translations(predictor)
    raise ValueError(
        f"expected a detector, classifier, segmenter or translator, got {type(predictor).__name__}"
    )


class _Pictures(Answers):
    content = "image/"

    def read(self, body: bytes) -> np.ndarray:
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
        return np.zeros((480, 640, 3), np.uint8)


class _Detections(_Pictures):
    """All candidates above a low score; the page applies both thresholds.

    So the network runs once a picture, and a slider costs nothing.
    """

    kind = "detector"

    def __init__(self, detector: Detector, limit: int) -> None:
        super().__init__(limit)
        task = detector.task
        # No IoU is above 1: nothing is suppressed here.
        all_candidates = dataclasses.replace(
            task,
            nms="hard",
            nms_threshold=1.0,
            score_threshold=max(FLOOR, task.score_threshold),
            max_detections=task.max_candidates,
        )
        self._of_run = detector
        self._detector = Detector(
            all_candidates,
            detector.variables,
            detector.transform,
            batch_size=1,
            threshold=FLOOR,
            max_proposals=detector.max_proposals,
            origin=detector.origin,
        )

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        # Not clipped to the picture: suppression compares whole boxes.
        views = Views(self._detector.transform)
        row = self._detector.row
        batches = image_batches([found], views, 1, lambda _, image, error: stop(image, error), row)
        ((part, objects),) = self._detector.predict_batches(batches)
        valid = objects.valid
        boxes = part.view.to_image(objects.boxes[valid])
        return {
            "height": found.shape[0],
            "width": found.shape[1],
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


class _Classes(_Pictures):
    kind = "classifier"

    def __init__(self, classifier: Classifier, limit: int) -> None:
        super().__init__(limit)
        self._classifier = classifier.replaced(batch_size=1)

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        classes = self._classifier(found)
        return {
            "height": found.shape[0],
            "width": found.shape[1],
            "names": classes.names,
            "classes": classes.top(_TOP),
        }

    def _more(self) -> dict[str, Any]:
        return {
            "classes": list(self._classifier.class_names),
            "multi_label": self._classifier.task.multi_label,
        }


class _LabelMaps(_Pictures):
    """The classes' colours as a picture whose background is transparent; the page blends it."""

    kind = "segmenter"

    def __init__(self, segmenter: Segmenter, limit: int) -> None:
        super().__init__(limit)
        self._segmenter = segmenter.replaced(batch_size=1)
        self._colours = class_colours(segmenter.class_names)

    def predict(self, found: np.ndarray) -> dict[str, Any]:
        result = self._segmenter(found)
        colours = self._colours[result.label_map]
        # Of the classes, the background alone is black.
        opaque = np.where(colours.any(axis=-1, keepdims=True), 255, 0).astype(np.uint8)
        blue_first = np.concatenate([colours[..., ::-1], opaque], axis=-1)
        painted = cv2.imencode(".png", blue_first)[1].tobytes()
        return {
            "height": found.shape[0],
            "width": found.shape[1],
            "names": result.names,
            "classes": [[row["name"], row["share"]] for row in result.rows()],
            "overlay": f"data:image/png;base64,{base64.b64encode(painted).decode()}",
        }

    def _more(self) -> dict[str, Any]:
        names = self._segmenter.class_names
        return {"classes": list(names), "colours": self._colours[: len(names)].tolist()}


class _Translations(Answers):
    """Of text, in which each line is a sentence."""

    kind = "translator"
    content = "application/json"

    def __init__(self, translator: Translator) -> None:
        super().__init__(_MAX_TEXT)
        self._translator = translator

    def read(self, body: bytes) -> list[str]:
        try:
            text = json.loads(body)["text"]
            # JSON may hold halves of characters, which no text encoding can.
            text.encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Refused(
                HTTPStatus.BAD_REQUEST, 'expected JSON as {"text": "a sentence"}'
            ) from error
        return [line.strip() for line in text.splitlines()]

    def predict(self, found: list[str]) -> dict[str, Any]:
        return {"lines": [each.text for each in self._translator(found)] if found else []}

    def example(self) -> list[str]:
        return ["a"]
