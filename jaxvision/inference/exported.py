"""An exported ONNX file, run by onnxruntime with the interface of the run that it comes from."""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.extras import library
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.clip_classifier import ClipClassifier
from jaxvision.inference.detector import Detector
from jaxvision.inference.export.write import Exported
from jaxvision.inference.few_shot import FewShotClassifier
from jaxvision.inference.image_predictor import ImagePredictor
from jaxvision.inference.onnx_runtime import Run, session
from jaxvision.inference.predictor import Origin
from jaxvision.inference.segmenter import Segmenter
from jaxvision.inference.upscaler import Upscaler
from jaxvision.inference.views import of_one_shape
from jaxvision.ops.nms import Candidates, Detections
from jaxvision.recipes.classification import clip_frames
from jaxvision.tasks.classification import ImageClassification
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.few_shot import FewShot
from jaxvision.tasks.segmentation import SemanticSegmentation
from jaxvision.tasks.super_resolution import Enlarged, SuperResolution
from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.evaluate import Predict
from jaxvision.train.package import KEY, checked

SUFFIX = ".onnx"
# The file holds them.
_NO_VARIABLES: Mapping[str, Any] = {"params": {}}


def read_onnx_meta(file: Path) -> tuple[int, dict[str, Any]]:
    """Reads the step and the meta of an ONNX file that `jaxvision export` wrote.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is damaged or of another origin.
        ImportError: If onnx is not installed.
    """
    onnx = library("onnx", "export")
    if not file.is_file():
        raise FileNotFoundError(f"expected an ONNX file, got {file}, nothing there")
    try:
        model = onnx.load(file, load_external_data=False)
    except Exception as error:  # what protobuf raises has no public name
        raise ValueError(f"{file} is not a whole ONNX file: {type(error).__name__}") from error
    if _refers_to_files(model.graph):
        raise ValueError(
            f"{file} keeps arrays in other files, which jaxvision export does not do; they are not "
            "opened"
        )
    text = {x.key: x.value for x in model.metadata_props}.get(KEY)
    if text is None:
        raise ValueError(
            f"{file} was not written by jaxvision export: it says nothing of classes and of how "
            "pictures are prepared"
        )
    step, meta = checked(text, file)
    return step, meta


def _refers_to_files(graph: Any) -> bool:
    """Says whether an array of a graph, or of one inside it, is in another file."""
    arrays, graphs = list(graph.initializer), []
    for node in graph.node:
        for attribute in node.attribute:
            arrays += [attribute.t, *attribute.tensors]
            graphs += [attribute.g, *attribute.graphs]
    return any(array.external_data for array in arrays) or any(
        _refers_to_files(inner) for inner in graphs if inner.node or inner.initializer
    )


class _OfFile(ImagePredictor):
    """A predictor whose network is a file.

    Attributes:
        output: What the file calls its predictions.
    """

    output = "probabilities"

    def __init__(self, run: Run, task: Any, transform: Any, **options: Any) -> None:
        """Takes the file's outputs for those of the task's network.

        Args:
            run: As `onnx_runtime.session` opens the file.
            task: Of the run that the file comes from.
            transform: Prepares images.
            **options: As of `Detector` or `Classifier`.
        """
        self._run = run
        super().__init__(task, _NO_VARIABLES, of_one_shape(transform), **options)

    def _compiled(self, task: Any) -> Predict:
        return _of_file(lambda image: self._run(image)[self.output])

    def export(self, path: str | os.PathLike[str], **options: Any) -> Exported:
        """Raises an error: a file has no variables."""
        raise ValueError(f"an exported file cannot be exported again, to {path}; export its run")


class ExportedDetector(_OfFile, Detector):
    """A detector whose network is an ONNX file; suppression is done here, with any options.

    The file takes images of one size, so that there is no `tta`, which needs others.
    """

    options = tuple(name for name in Detector.options if name != "tta")

    def replaced(self, *, tta: bool | None = None, **options: Any) -> Self:
        """Returns a detector of the same file with other options; see `Detector.replaced`.

        Raises:
            ValueError: For `tta`, or if a value is out of its range.
        """
        if tta:
            raise ValueError("an exported file takes images of one size, tta needs its run")
        return super().replaced(**options)

    def _compiled(self, task: Any) -> Predict:
        return self._after_file(lambda found: jax.vmap(task.suppress)([task.among_wanted(found)]))

    def _compiled_candidates(self, task: DenseDetection) -> Predict:
        return self._after_file(lambda found: task.strongest(task.among_wanted(found)))

    def _after_file(self, function: Callable[[Candidates], Any]) -> Predict:
        compiled = jax.jit(function)

        def run(image: np.ndarray) -> Any:
            found: Any = self._run(image)
            return compiled(Candidates(**found))

        return _of_file(run)


class SuppressedDetector(_OfFile, Detector):
    """A detector whose ONNX file holds suppression, too, with options that stay as they are."""

    options = ("threshold", "batch_size")

    def replaced(
        self, *, threshold: float | None = None, batch_size: int | None = None, **others: Any
    ) -> Self:
        """Returns a detector of the same file with another threshold or batch size.

        Raises:
            ValueError: For other options, which are part of the file.
        """
        wrong = [name for name, value in others.items() if value is not None]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} cannot change: this file holds its suppression; export "
                "without nms"
            )
        return super().replaced(threshold=threshold, batch_size=batch_size)

    def _compiled(self, task: Any) -> Predict:
        def run(image: np.ndarray) -> Detections:
            found: Any = self._run(image)
            return Detections(**found)

        return _of_file(run)


class ExportedClassifier(_OfFile, Classifier):
    """A classifier whose network is an ONNX file."""


class ExportedClipClassifier(_OfFile, ClipClassifier):
    """A classifier of clips whose network is an ONNX file."""


class ExportedSegmenter(_OfFile, Segmenter):
    """A segmenter whose network is an ONNX file, for images of one size: the whole image."""

    options = ("batch_size",)

    def replaced(self, *, batch_size: int | None = None, **others: Any) -> Self:
        """Returns a segmenter of the same file with another batch size.

        Raises:
            ValueError: For `tta` and `tile`, which need other sizes.
        """
        if any(others.values()):
            raise ValueError(
                f"an exported file takes images of one size, {', '.join(others)} needs its run"
            )
        return super().replaced(batch_size=batch_size)

    def _compiled(self, task: Any) -> Predict:
        if task.full_size:
            return self._compiled_probabilities(task)
        return _of_file(
            lambda image: self._run(image)["probabilities"].argmax(axis=-1).astype(np.int32)
        )

    def _compiled_probabilities(self, task: Any) -> Predict:
        return _of_file(lambda image: self._run(image)["probabilities"])


class ExportedFewShot(_OfFile, FewShotClassifier):
    """A few-shot classifier whose embeddings an ONNX file computes."""

    output = "embeddings"


class ExportedUpscaler(_OfFile, Upscaler):
    """An upscaler whose network is an ONNX file, for windows of one size."""

    options = ("batch_size", "back_projection")

    def replaced(
        self,
        *,
        batch_size: int | None = None,
        back_projection: int | None = None,
        **others: Any,
    ) -> Self:
        """Returns an upscaler of the same file with other options.

        Raises:
            ValueError: For `tta` and `tile`, which need the run.
        """
        if any(others.values()):
            raise ValueError(
                f"an exported file takes windows of one size, {', '.join(others)} needs its run"
            )
        return super().replaced(batch_size=batch_size, back_projection=back_projection)

    def _compiled(self, task: Any) -> Predict:
        return _of_file(lambda image: Enlarged(jnp.asarray(self._run(image)["enlarged"]), None))


def exported_predictor(
    file: Path, meta: Mapping[str, Any], task: Any, transform: Any, batch_size: int, origin: Origin
) -> Detector | Classifier | Segmenter | Upscaler | FewShotClassifier:
    """Opens a file as the predictor that its meta describes.

    Raises:
        ValueError: If what it computes is not enough to predict.
    """
    if isinstance(task, FewShot) and task.loss_name == "siamese":
        raise ValueError(
            f"{file} computes embeddings, without the weights by which a Siamese network compares "
            "them; use its run"
        )
    if isinstance(task, SuperResolution):
        windows = dataclasses.replace(transform, filled=True)
        return ExportedUpscaler(session(file), task, windows, origin=origin)
    if isinstance(task, DenseDetection):
        kind = SuppressedDetector if meta.get("nms") else ExportedDetector
    elif isinstance(task, FewShot):
        kind = ExportedFewShot
    elif isinstance(task, ImageClassification) and (frames := clip_frames(origin.config)):
        kind = functools.partial(ExportedClipClassifier, frames=frames)
    else:
        kind = ExportedSegmenter if isinstance(task, SemanticSegmentation) else ExportedClassifier
    return kind(session(file), task, transform, batch_size=batch_size, origin=origin)


def _of_file(run: Callable[[np.ndarray], Any]) -> Predict:
    def predict(params: Params, state: ModelState, batch: Batch, key: jax.Array) -> Any:
        del params, state, key
        return jax.tree.map(jnp.asarray, run(np.asarray(batch["image"])))

    return predict
