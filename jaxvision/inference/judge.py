"""A classifier that judges generated images: FID, IS, precision and recall, and the classes found.

FID of the papers is that of TensorFlow's Inception. Weights of torchvision's `inception_v3` give
numbers for comparing runs, not the published ones; a classifier of the same data does, too.
"""

import functools
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxvision import pretrained
from jaxvision.data.sample import Sample
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.load import load
from jaxvision.inference.sampler import Samples
from jaxvision.metrics.generated_sets import frechet_distance, inception_score, precision_recall
from jaxvision.models.last_features import last_features
from jaxvision.tasks.classification import IMAGENET_MEAN, IMAGENET_STD

_INCEPTION, _SIDE = "inception_v3", 299
_ROWS = 50


class Judge:
    """Gives features and classes of images.

        judge = Judge("runs/lenet_mnist")
        judge.compare(sampler.sample(1000), real_images)

    Attributes:
        class_names: Of its classes; () for weights from a file.
    """

    def __init__(self, source: str | os.PathLike[str]) -> None:
        """Loads the network.

        Args:
            source: Folder of a classifier's run, or a file of weights of torchvision's
                `inception_v3`.

        Raises:
            FileNotFoundError: If there is nothing.
            ValueError: If it is neither.
        """
        path = pathlib.Path(source).expanduser()
        self.class_names: tuple[str, ...] = ()
        if path.is_file():
            model, variables = pretrained.load(_INCEPTION, path)
            self._prepare: Callable[[np.ndarray], np.ndarray] = _for_inception
            normalize: Callable[[jax.Array, Any], jax.Array] = _normalised
        else:
            judge = load(path)
            if not isinstance(judge, Classifier):
                raise ValueError(
                    f"a judge must be a classifier, got {path}, a {type(judge).__name__.lower()}"
                )
            task: Any = judge.task
            model, variables, normalize = task.model, judge.variables, task.normalize
            self._prepare = functools.partial(_transformed, judge.transform)
            self.class_names = judge.class_names

        def features(variables: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
            found, logits = last_features(model, variables, normalize(images, variables))
            return found, jax.nn.softmax(logits)

        self._features = functools.partial(jax.jit(features), variables)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes features [N, D] and probabilities [N, K] of images [N, H, W, 1 or 3] uint8."""
        found = []
        for start in range(0, len(images), _ROWS):
            part = [self._prepare(image) for image in images[start : start + _ROWS]]
            rows = np.stack(part + part[-1:] * (_ROWS - len(part)))
            found.append([np.asarray(x)[: len(part)] for x in self._features(rows)])
        features, probabilities = (np.concatenate(x) for x in zip(*found, strict=True))
        return features, probabilities

    def compare(self, samples: Samples, real: np.ndarray) -> dict[str, float]:
        """Measures generated images.

        Args:
            samples: The images.
            real: Real ones [N, H, W, 1 or 3] uint8, about as many.

        Returns:
            `FID`, `IS`, `precision` and `recall`; with a judge of the same classes also
            `recognised`, the share of the images that it takes for what was asked for; and of any
            judge's run `classes_found` and `largest_class`, the share of the most frequent one.

        Raises:
            ValueError: If there are too few images.
        """
        theirs, probabilities = self(samples.images)
        ours, _ = self(real)
        shares = precision_recall(ours, theirs)
        found = {
            "FID": frechet_distance(ours, theirs),
            "IS": inception_score(probabilities, min(10, len(probabilities))),
            **shares._asdict(),
        }
        if self.class_names:
            taken = probabilities.argmax(axis=1)
            counts = np.bincount(taken, minlength=len(self.class_names))
            found["classes_found"] = float((counts > 0).sum())
            found["largest_class"] = float(counts.max() / len(taken))
        if samples.class_names and set(samples.class_names) <= set(self.class_names):
            names = np.array(self.class_names)[probabilities.argmax(axis=1)]
            found["recognised"] = float((names == np.array(samples.class_names)).mean())
        return found


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def _for_inception(image: np.ndarray) -> np.ndarray:
    resized = Image.fromarray(_rgb(image)).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _normalised(images: jax.Array, state: Any) -> jax.Array:
    del state
    mean, std = (jnp.asarray(x)[None, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
    return (images.astype(jnp.float32) / 255.0 - mean) / std


def _transformed(transform: Any, image: np.ndarray) -> np.ndarray:
    return transform(Sample(_rgb(image), 0), np.random.default_rng(0)).image
