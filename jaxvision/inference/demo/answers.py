"""What every kind of answer to the demo's page has in common."""

import abc
import base64
from typing import Any

import cv2
import numpy as np


class Answers(abc.ABC):
    """Turns the body of a request into an answer.

    Attributes:
        kind: What the page shows of the predictor, as `detector`.
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


def address(image: np.ndarray) -> str:
    """Returns a picture [H, W, 3 or 4] uint8, RGB or RGBA, as an address that holds it."""
    blue_first = image[..., [2, 1, 0, *range(3, image.shape[-1])]]
    content = cv2.imencode(".png", blue_first)[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
