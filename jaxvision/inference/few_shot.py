"""A trained embedding, which classifies images by a few labelled ones and compares pairs."""

import copy
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.source import Transform
from jaxvision.inference.classifier import ImageClasses
from jaxvision.inference.image_predictor import ImagePredictor
from jaxvision.inference.images import Image, Part, listed, path_of, pixels
from jaxvision.inference.predictor import Origin
from jaxvision.inference.reports.layout import (
    EvaluationReport,
    Section,
    Table,
    number,
    share,
)
from jaxvision.inference.result import Result
from jaxvision.plots.sheet import captioned, contact_sheet
from jaxvision.tasks.few_shot import FewShot
from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.evaluate import Evaluation

# Least side in pixels of a picture that is drawn.
_SIDE = 196


class Supports(NamedTuple):
    """Labelled images, as embeddings.

    Attributes:
        embeddings: Of each class as many [way, shot, D].
        class_names: By class.
    """

    embeddings: np.ndarray
    class_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Similarity(Result):
    """How much two images look like one class.

    Attributes:
        value: The probability that they are of one class, or a cosine in [-1, 1].
        kind: `probability`, of a Siamese network with a loss of its own for it, or `cosine`.
        images: Both files or arrays.
    """

    value: float
    kind: str
    images: tuple[Image, Image]

    columns = ("first", "second", "similarity", "kind")

    def plot(self) -> np.ndarray:
        """Draws both images beside each other; files are read again."""
        cells = []
        for image in map(pixels, self.images):
            factor = max(1, _SIDE // max(image.shape[:2]))
            cells.append(image.repeat(factor, 0).repeat(factor, 1))
        return captioned(contact_sheet(cells, 2), f"{self.value:.3f}", self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Returns files and similarity as values that JSON can hold."""
        return self.rows()[0]

    def rows(self) -> list[dict[str, Any]]:
        """Returns the one row of a table."""
        first, second = map(path_of, self.images)
        return [{"first": first, "second": second, "similarity": self.value, "kind": self.kind}]

    def summary(self) -> str:
        """Names the similarity."""
        return f"{self.kind} {self.value:.3f}"


@dataclasses.dataclass(frozen=True)
class _Embedding:
    """What is compiled for images: the task's embedding in the place of its `predict`."""

    task: FewShot

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        return self.task.embed(params, state, batch, key=key)


class FewShotClassifier(ImagePredictor):
    """Finds the classes of images by a few labelled ones, classes that training never saw.

        model = jaxvision.load("runs/protonet").replaced(support="letters/")
        model("letter.png").name
        model.embed(["a.png", "b.png"])
        model.verify("a.png", "b.png").value

    Images are prepared as those of the run's data: for `omniglot` dark strokes on white.

    Attributes:
        supports: The labelled images; None before `replaced(support=...)`.
    """

    options = ("support", "batch_size")
    formats = ("json", "csv")
    task: FewShot

    def __init__(
        self,
        task: FewShot,
        variables: Mapping[str, Any],
        transform: Transform,
        *,
        batch_size: int = 16,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network.
            variables: {"params", **other collections} of the network.
            transform: Prepares images as the evaluation of the network does.
            batch_size: Images embedded at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        super().__init__(
            task, variables, transform, class_names=(), batch_size=batch_size, origin=origin
        )
        self.supports: Supports | None = None
        shim: Any = _Embedding(task)
        self._infer = self._compiled(shim)
        self._scores = jax.jit(task.scores)

    def replaced(
        self,
        *,
        support: str | os.PathLike[str] | Mapping[str, Sequence[Image]] | None = None,
        batch_size: int | None = None,
    ) -> Self:
        """Returns a predictor of the same variables with other options; None keeps one.

        Args:
            support: Labelled images: a folder with a folder of images for each class, or
                {class name: images}.
            batch_size: Images embedded at a time.

        Raises:
            DataError: If there is no such folder, or an image cannot be read.
            ValueError: If there are fewer than two classes, a class has no image, or, for
                `matching`, classes have different numbers of them.
        """
        changed = self._copied(batch_size)
        if support is not None:
            changed.supports = changed._supports(support)
            changed.class_names = changed.supports.class_names
        return changed

    def embed(self, inputs: Image | Sequence[Image]) -> np.ndarray:
        """Maps images to embeddings [N, D], or a single one to [D].

        Raises:
            DataError: If a file is missing or is not an image.
            ValueError: If `inputs` is empty.
        """
        images, single = listed(inputs)
        if not images:
            raise ValueError("expected images to embed, got none")
        found = self._embedded(images)
        return found[0] if single else found

    def verify(self, first: Image, second: Image) -> Similarity:
        """Compares two images.

        Raises:
            DataError: If a file is missing or is not an image.
        """
        both = jnp.asarray(self._embedded([first, second]))
        value = self.task.similarity(self.params, both[:1], both[1:])
        kind = "probability" if self.task.loss_name == "siamese" else "cosine"
        return Similarity(float(value[0]), kind, (first, second))

    def stream(self, inputs: Any, **options: Any) -> Any:
        """Classifies images one after another, as `ImagePredictor.stream` does.

        Raises:
            ValueError: If there are no supports.
        """
        if self.supports is None:
            raise ValueError(
                "classes are found by labelled images: give support, a folder with a folder of "
                "images for each class"
            )
        return super().stream(inputs, **options)

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out the accuracy of each size of episodes, with its 95% interval."""
        del data
        metric: Any = evaluation.metric
        rows, lines = [], []
        for name, found in metric.sizes.items():
            values = found.compute()
            rows.append((name, f"{found.episodes:,}", *(number(v, 4) for v in values.values())))
            lines.append(f"{name} {share(values['accuracy'])} ± {share(values['interval'])}")
        table = Table(("episodes", "number", "accuracy", "± 95%"), rows)
        note = "Means over episodes of classes that training did not see."
        return EvaluationReport(
            "; ".join(lines), {"metrics": evaluation.metrics}, [Section("Accuracy", note, [table])]
        )

    def _outputs(
        self, task: Any, given: tuple[Params, ModelState, Batch], key: jax.Array, nms: bool
    ) -> dict[str, jax.Array]:
        if nms:
            raise ValueError("nms is for detectors, got a few-shot classifier")
        return {"embeddings": task.embed(*given, key=key)}

    def program(self) -> Any:
        """Returns all that embedding a batch of images computes."""

        def apply(variables: Any, images: jax.Array) -> jax.Array:
            state = dict(variables)
            params = state.pop("params")
            return self.task.embed(params, state, {"image": images}, key=jax.random.key(0))

        return super().program()._replace(apply=apply)

    def _embedded(self, images: Sequence[Image]) -> np.ndarray:
        # `_result` gives embeddings as they are where there is nothing to compare them with.
        bare = copy.copy(self)
        bare.supports = None
        return np.stack(list(ImagePredictor.stream(bare, images, count=len(images))))

    def _supports(self, support: Any) -> Supports:
        groups = support if isinstance(support, Mapping) else _folders(support)
        if len(groups) < 2:
            raise ValueError(f"support must have two classes or more, got {len(groups)}")
        for name, images in groups.items():
            if not len(images):
                raise ValueError(f"support has no image of the class {name}")
        counts = [len(images) for images in groups.values()]
        if self.task.loss_name == "matching" and len(set(counts)) > 1:
            raise ValueError(
                "matching needs as many images of each class, got from "
                f"{min(counts)} to {max(counts)}"
            )
        flat = self._embedded([image for images in groups.values() for image in images])
        parts = np.split(flat, np.cumsum(counts)[:-1])
        if self.task.loss_name == "prototypical":
            parts = [part.mean(axis=0, keepdims=True) for part in parts]
        # Of the others the nearest counts, so that it may be there twice.
        shot = max(map(len, parts))
        embeddings = np.stack([part[np.arange(shot) % len(part)] for part in parts])
        return Supports(embeddings, tuple(groups))

    def _result(self, part: Part, parts: list[tuple[Part, Any]]) -> Any:
        ((_, embedding),) = parts
        if self.supports is None:
            return embedding
        scores = self._scores(self.params, self.supports.embeddings, embedding[None])
        return ImageClasses(
            np.asarray(jax.nn.softmax(scores[0])),
            self.supports.class_names,
            False,
            part.image,
            part.size,
        )


def _folders(path: str | os.PathLike[str]) -> dict[str, list[Image]]:
    """Lists the images of each folder of a folder."""
    root = pathlib.Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder with a folder of images for each class")
    folders = sorted(each for each in root.iterdir() if each.is_dir() and each.name[0] not in "._")
    return {folder.name: listed(folder)[0] for folder in folders}
