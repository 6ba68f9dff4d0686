"""Whether a file computes what the model does."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cv2
import jax
import numpy as np

from jaxvision.inference.program import Program

Outputs = Mapping[str, np.ndarray]

# The batches that are compared are of this many and of one.
_EXAMPLES = 3
# The best so many boxes of each image are compared.
_BEST = 100
# Outputs that are pictures, in [0, 255].
_PICTURES = {"enlarged", "images"}
# A coarse picture that is enlarged has this many cells a side.
_CELLS = 6


class Tolerance(NamedTuple):
    """How far a file may be from the model.

    Attributes:
        probability: Of the logarithm of scores and probabilities.
        box: Of corners, as a share of the image's longer side.
        level: Of a pixel's value in an enlarged picture, of 255.
        missing: Share of boxes that may have no counterpart. Two scores that are all but equal
            change their places for the least error, and suppression then keeps another box.
    """

    probability: float
    box: float
    level: float
    missing: float


TOLERANCES = {
    "float32": Tolerance(1e-2, 1e-4, 0.05, 0.02),
    "float16": Tolerance(0.2, 1e-2, 4.0, 0.1),
}


def compare(
    run: Callable[[np.ndarray], Outputs], program: Program, variables: Any, tolerance: Tolerance
) -> str:
    """Compares a file with the model, on batches of two sizes.

    Args:
        run: Computes the file's outputs for a batch.
        program: What the model computes.
        variables: Of the model.
        tolerance: How far they may be apart.

    Returns:
        How far they are, in words.

    Raises:
        ValueError: If they are further apart.
    """
    (example,) = program.inputs(_EXAMPLES)
    inputs = pictures(example) if example.dtype == np.uint8 else example
    with jax.default_matmul_precision("highest"):
        expected = jax.device_get(jax.jit(program.apply)(variables, inputs))
    found = []
    for count in (_EXAMPLES, 1):
        rows = {name: x[:count] for name, x in expected.items()}
        found.append(_difference(run(inputs[:count]), rows, inputs, tolerance))
    return max(found)[1]


def pictures(like: np.ndarray) -> np.ndarray:
    """Draws pictures, or clips of them, with both large areas and single pixels.

    Args:
        like: Of the shape that is wanted [B, ..., H, W, C].

    Returns:
        [B, ..., H, W, C] uint8.
    """
    rng = np.random.default_rng(0)
    *leading, height, width, channels = like.shape
    shape = (math.prod(leading), _CELLS, _CELLS, channels)
    coarse = rng.uniform(0, 255, shape).astype(np.float32)
    smooth = [cv2.resize(x, (width, height), interpolation=cv2.INTER_CUBIC) for x in coarse]
    noise = rng.normal(0, 12, like.shape)
    return np.clip(np.stack(smooth).reshape(like.shape) + noise, 0, 255).astype(np.uint8)


def _difference(
    given: Outputs, expected: Outputs, inputs: np.ndarray, tolerance: Tolerance
) -> tuple[float, str]:
    """Returns a number to compare by, and the difference in words."""
    for name, wanted in expected.items():
        got = given.get(name)
        if got is None or got.shape != wanted.shape or got.dtype != wanted.dtype:
            raise _deviates(f"{name} should be {_kind(wanted)}, is {_kind(got)}")
        if not np.isfinite(got).all():
            raise _deviates(f"{name} is not finite")
    if "boxes" in expected:
        return _of_boxes(given, expected, max(inputs.shape[1:3]), tolerance)
    if "tokens" in expected:
        same = float((given["tokens"] == expected["tokens"]).mean())
        if same < 1 - tolerance.missing:
            raise _deviates(f"only {same:.1%} of the tokens are equal")
        return 1 - same, f"{same:.1%} of the tokens are equal"
    for name in _PICTURES & expected.keys():
        apart = float(np.abs(given[name] - expected[name]).max())
        if apart > tolerance.level:
            raise _deviates(f"a pixel is off by {apart:.2g} of 255, more than {tolerance.level:g}")
        return apart, f"pixels differ by at most {apart:.1e} of 255"
    if "embeddings" in expected:
        apart = np.linalg.norm(given["embeddings"] - expected["embeddings"], axis=-1)
        share = float((apart / (np.linalg.norm(expected["embeddings"], axis=-1) + 1e-9)).max())
        if share > tolerance.probability:
            raise _deviates(
                f"an embedding is off by {share:.1%} of its length, more than "
                f"{tolerance.probability:.1%}"
            )
        return share, f"embeddings differ by at most {share:.1e} of their length"
    probabilities = [_probabilities(x) for x in (given, expected)]
    logarithms = [np.log(x + 1e-9) for x in probabilities]
    furthest = float(np.abs(logarithms[0] - logarithms[1]).max())
    if furthest > tolerance.probability:
        raise _deviates(
            f"a probability is off by {np.expm1(furthest):.1%}, more than "
            f"{tolerance.probability:.1%}"
        )
    deviation = float(np.abs(probabilities[0] - probabilities[1]).max())
    return deviation, f"probabilities differ by at most {deviation:.1e}"


def _probabilities(outputs: Outputs) -> np.ndarray:
    """Returns the probabilities of a classifier, or of a language model, which gives logits."""
    if "logits" in outputs:
        return np.asarray(jax.nn.softmax(outputs["logits"]))
    return outputs["probabilities"]


def _of_boxes(
    given: Outputs, expected: Outputs, side: int, tolerance: Tolerance
) -> tuple[float, str]:
    compared, missing, corners = 0, 0, 0.0
    for one, other in ((given, expected), (expected, given)):
        for i in range(len(expected["boxes"])):
            distances = _to_nearest(_row(one, i), _row(other, i), side, tolerance)
            compared += len(distances)
            missing += int(np.isinf(distances).sum())
            corners = max(corners, float(distances[np.isfinite(distances)].max(initial=0)))
    if missing > tolerance.missing * compared:
        raise _deviates(f"{missing:,} of {compared:,} boxes have no counterpart")
    return corners, f"boxes differ by at most {corners * side:.1e} pixels"


def _row(outputs: Outputs, i: int) -> dict[str, np.ndarray]:
    row = {name: x[i] for name, x in outputs.items()}
    kept = row.pop("valid", np.ones(len(row["scores"]), bool))
    return {name: x[kept] for name, x in row.items()}


def _to_nearest(
    one: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    side: int,
    tolerance: Tolerance,
) -> np.ndarray:
    """Measures how far each of the best boxes is from one of its class and score.

    Returns:
        Largest distance of a corner's coordinate, as a share of the side; infinite without one.
    """
    best = np.argsort(-one["scores"], kind="stable")[:_BEST]
    if not len(best) or not len(other["scores"]):
        return np.full(len(best), np.inf)
    logarithms = [np.log(np.maximum(x["scores"], 0) + 1e-9) for x in (one, other)]
    fits = np.abs(logarithms[0][best, None] - logarithms[1][None]) <= tolerance.probability
    fits &= one["classes"][best, None] == other["classes"][None]
    apart = np.abs(one["boxes"][best, None] - other["boxes"][None]).max(axis=-1) / side
    nearest = np.where(fits, apart, np.inf).min(axis=1)
    return np.where(nearest <= tolerance.box, nearest, np.inf)


def _kind(array: Any) -> str:
    return "missing" if array is None else f"{array.dtype} {list(array.shape)}"


def _deviates(how: str) -> ValueError:
    return ValueError(f"the file would not compute what the model does, and was not written: {how}")
