"""The user's pictures, on which INT8 takes its ranges and is compared with the model."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxvision.inference.images import image_batches, listed, stop
from jaxvision.inference.views import Views, of_one_shape
from jaxvision.ops.boxes import pairwise_iou

if TYPE_CHECKING:
    from jaxvision.inference.predictor import Predictor

# Pictures that are read, at most: more change the ranges of activations little.
MOST = 200
# Pictures on which the file is compared with the model, at most.
_COMPARED = 32
# Boxes of this score and better are compared; one has a counterpart from this IoU on.
_SCORE, _IOU = 0.3, 0.5
# Mean difference, of 255, of two pictures that are alike.
_LEVELS = 2.0
# Share of boxes or pictures that must agree.
_LEAST = 0.5


def read_pictures(predictor: "Predictor", pictures: Sequence[Any]) -> list[np.ndarray]:
    """Reads and prepares pictures, each [1, H, W, 3] uint8.

    Args:
        predictor: Prepares them.
        pictures: Files, folders and arrays.

    Raises:
        DataError: If one is missing or cannot be read.
        ValueError: If a folder has none.
    """
    given: Any = predictor
    views = Views(of_one_shape(given.transform))
    images = [image for word in pictures for image in listed(word)[0]]
    chosen = images[:: max(1, -(-len(images) // MOST))]
    batches = image_batches(chosen, views, 1, lambda _, image, fault: stop(image, fault), _row)
    return [batch["image"] for _, batch in batches]


def _row(shown: np.ndarray) -> dict[str, np.ndarray]:
    return {"image": shown}


def agreement_on(
    shown: Sequence[np.ndarray],
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    reference: Callable[..., Any],
    variables: Any,
) -> str:
    """Compares a file with the model on pictures.

    Returns:
        How much of what the model finds the file finds, in words.

    Raises:
        ValueError: If that is less than half.
    """
    found, total, what = 0, 0, "pictures have the same class"
    for image in shown[:: max(1, -(-len(shown) // _COMPARED))]:
        given, expected = run(image), jax.device_get(reference(variables, image))
        if "boxes" in expected:
            what = "boxes of the model are found"
            there, wanted = _found(given, expected)
        elif "enlarged" in expected:
            what = "pictures are enlarged alike"
            apart = np.abs(given["enlarged"] - expected["enlarged"]).mean(axis=(1, 2, 3))
            there, wanted = int((apart <= _LEVELS).sum()), len(apart)
        else:
            same = given["probabilities"].argmax(-1) == expected["probabilities"].argmax(-1)
            there, wanted = int(same.sum()), len(same)
        found, total = found + there, total + wanted
    if found < _LEAST * total:
        raise ValueError(
            f"only {found:,} of {total:,} {what} in int8; nothing was written: give more pictures "
            "like those that the model will see, or use float16"
        )
    return f"{found:,} of {total:,} {what}"


def _found(given: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> tuple[int, int]:
    """Counts the model's boxes of an image that the file has, too, and all of them."""
    wanted = np.flatnonzero(expected["scores"][0] >= _SCORE)
    there = np.flatnonzero(given["scores"][0] >= _SCORE / 2)
    if not len(wanted) or not len(there):
        return 0, len(wanted)
    overlap = np.asarray(pairwise_iou(expected["boxes"][0][wanted], given["boxes"][0][there]))
    same = expected["classes"][0][wanted, None] == given["classes"][0][None, there]
    return int((same & (overlap >= _IOU)).any(axis=1).sum()), len(wanted)
