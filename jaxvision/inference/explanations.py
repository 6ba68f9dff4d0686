"""What a convolutional classifier sees in an image, by four methods.

    model = jaxvision.load("runs/resnet_cifar10")
    explain(model, "cat.jpg").save("why_cat.png")
    explain(model, "cat.jpg", "occlusion", class_name="dog").plot()

Grad-CAM: Selvaraju et al. 2016, https://arxiv.org/abs/1610.02391, equations 1 and 2. Occlusion:
Zeiler and Fergus 2013, https://arxiv.org/abs/1311.2901, section 4.2. The others are those of
`jaxvision.inference.relu_rules`, from the score of a class back to the pixels.
"""

import dataclasses
import functools
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.sample import Sample
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.images import Image, pixels
from jaxvision.inference.relu_rules import RULES, with_relu_rule
from jaxvision.inference.result import Result
from jaxvision.layers.seen_maps import seen_maps
from jaxvision.models.classifier_output import ClassifierOutput
from jaxvision.ops import ranges
from jaxvision.plots.sheet import captioned, contact_sheet

METHODS = ("grad_cam", "occlusion", *RULES)
# Images of an occlusion that are predicted at a time, and the least side of a drawn picture.
_ROWS, _SIDE = 32, 224


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation(Result):
    """What speaks for a class in an image.

    Attributes:
        method: One of `METHODS`.
        class_name: The class.
        probability: Of it.
        image: What the network was given, RGB [H, W, 3] uint8.
        values: For `grad_cam` the map [H, W] in [0, 1]; for `occlusion` by how much the
            probability falls where a square is hidden [H, W]; else a gradient [H, W, C].
    """

    method: str
    class_name: str
    probability: float
    image: np.ndarray
    values: np.ndarray

    columns = ("method", "name", "probability")

    def plot(self) -> np.ndarray:
        """Draws the image beside what was found, RGB [H', W', 3] uint8."""
        factor = max(1, -(-_SIDE // max(self.image.shape[:2])))
        cells = [self.image, self._drawn()]
        sheet = contact_sheet([x.repeat(factor, 0).repeat(factor, 1) for x in cells], 2)
        return captioned(sheet, f"{self.class_name} {self.probability:.1%}", self.method)

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the image as values that JSON can hold."""
        return {**self.rows()[0], "values": np.asarray(self.values, float).tolist()}

    def rows(self) -> list[dict[str, Any]]:
        """Returns one row, of method, class and probability."""
        return [{"method": self.method, "name": self.class_name, "probability": self.probability}]

    def summary(self) -> str:
        """Names the class with its probability, and the method."""
        return f"{self.class_name} {self.probability:.1%}, {self.method}"

    def _drawn(self) -> np.ndarray:
        if self.method in RULES:
            largest = np.abs(self.values).max() or 1.0
            shown = np.rint(127.5 * (1 + self.values / largest)).astype(np.uint8)
            return np.broadcast_to(shown, (*shown.shape[:2], 3)).copy()
        heat = np.clip(self.values, 0, None)
        scaled = np.rint(255 * heat / (heat.max() or 1.0)).astype(np.uint8)
        colours = cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO)[..., ::-1]
        return cv2.addWeighted(self.image, 0.4, np.ascontiguousarray(colours), 0.6, 0)


def explain(
    classifier: Classifier,
    image: Image,
    method: str = "grad_cam",
    *,
    class_name: str = "",
    layer: str = "backbone",
    patch: int = 0,
    stride: int = 0,
) -> Explanation:
    """Explains a class of an image.

    Args:
        classifier: A trained classifier of images.
        image: A file, or RGB [H, W, 3] uint8.
        method: `grad_cam`, `occlusion`, `deconvolution` or `guided_backpropagation`.
        class_name: The class; empty for the most probable one.
        layer: Of `grad_cam`: path of the module whose maps are weighted, as
            `backbone/stage4_block2`; of a backbone the map of the largest stride.
        patch: Of `occlusion`: side of the grey square in pixels of the network's input; 0 for a
            quarter of its height.
        stride: By which it moves; 0 for a quarter of its side.

    Raises:
        DataError: If the file is missing or is not an image.
        ValueError: If there is no such method, class or layer, or the network has no ReLU.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method}")
    if class_name and class_name not in classifier.class_names:
        known = ", ".join(classifier.class_names)
        raise ValueError(f"class_name must be one of {known}, got {class_name}")
    shown = classifier.transform(Sample(pixels(image), 0), np.random.default_rng(0)).image
    probabilities = _probabilities(classifier, shown[None])[0]
    number = int(probabilities.argmax())
    if class_name:
        number = classifier.class_names.index(class_name)
    if method == "occlusion":
        values = _occlusion(classifier, shown, number, patch, stride)
    elif method == "grad_cam":
        values = _grad_cam(classifier, shown, number, layer)
    else:
        x = classifier.task.normalize(jnp.asarray(shown[None]), classifier.model_state)
        score = with_relu_rule(lambda x: _logits(classifier, x)[0, number], method)
        values = np.asarray(jax.grad(score)(x)[0])
    name, probability = classifier.class_names[number], float(probabilities[number])
    return Explanation(method, name, probability, shown, values)


def _logits(classifier: Classifier, x: jax.Array) -> jax.Array:
    output = classifier.task.model.apply(classifier.variables, x, train=False)
    found = output.logits if isinstance(output, ClassifierOutput) else output
    return found.astype(jnp.float32)


def _probabilities(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    given = classifier.params, classifier.model_state, {"image": jnp.asarray(images)}
    return np.asarray(classifier._predict(*given, jax.random.key(0)))


def _grad_cam(classifier: Classifier, image: np.ndarray, number: int, layer: str) -> np.ndarray:
    """Weights the maps of a layer by the mean of the score's gradient over each, [H, W]."""
    x = classifier.task.normalize(jnp.asarray(image[None]), classifier.model_state)
    compute = functools.partial(_logits, classifier, x)
    _, seen = seen_maps(compute, layer)
    if seen is None:
        raise ValueError(
            f"layer must be the path of a module that the network calls, got {layer!r}"
        )
    if seen.ndim != 4:
        raise ValueError(f"layer must give maps [B, H, W, C], and {layer} gives {list(seen.shape)}")

    def score(added: jax.Array) -> tuple[jax.Array, Any]:
        logits, seen = seen_maps(compute, layer, added)
        return logits[0, number], seen

    gradient, maps = jax.grad(score, has_aux=True)(jnp.zeros_like(seen))
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    heat = np.maximum(np.asarray((weights * maps).sum(axis=-1)[0], np.float32), 0)
    heat = cv2.resize(heat, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return heat / (heat.max() or 1.0)


def _occlusion(
    classifier: Classifier, image: np.ndarray, number: int, patch: int, stride: int
) -> np.ndarray:
    """Returns by how much a probability falls, the mean over all squares that hide a pixel."""
    height, width = image.shape[:2]
    patch = patch or max(1, height // 4)
    stride = stride or max(1, patch // 4)
    ranges.check({"patch": patch}, f"[1, {min(height, width)}]", "patch")
    # Larger steps would leave pixels that no square hides.
    ranges.check({"stride": stride}, f"[1, {patch}]", "stride")
    tops, lefts = ([*range(0, side - patch, stride), side - patch] for side in (height, width))
    places = [(top, left) for top in tops for left in lefts]
    before = _probabilities(classifier, image[None])[0, number]
    grey = np.resize(np.rint(255 * np.asarray(classifier.task.mean)), 3).astype(np.uint8)
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for start in range(0, len(places), _ROWS):
        part = places[start : start + _ROWS]
        hidden = np.repeat(image[None], _ROWS, axis=0)  # the last batch is filled up
        for row, (top, left) in zip(hidden, part, strict=False):
            row[top : top + patch, left : left + patch] = grey
        found = _probabilities(classifier, hidden)[:, number]
        for (top, left), probability in zip(part, found, strict=False):
            area = slice(top, top + patch), slice(left, left + patch)
            total[area] += before - probability
            count[area] += 1
    return total / count
