"""A trained detector, applied to images."""

import dataclasses
import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.rows import Row, proposal_row
from jaxvision.data.sample import Sample
from jaxvision.data.segmentations import run_lengths
from jaxvision.data.selective_search import selective_search
from jaxvision.data.source import Transform
from jaxvision.inference.image_predictor import ImagePredictor
from jaxvision.inference.images import Image, Part, path_of, pixels
from jaxvision.inference.predictor import Origin
from jaxvision.inference.reports.detection import report_detection
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.inference.result import Result
from jaxvision.inference.views import SCALES
from jaxvision.metrics.coco_masks import THRESHOLD as MASK_THRESHOLD
from jaxvision.ops.nms import Candidates, Detections
from jaxvision.ops.region_masks import paste_masks
from jaxvision.plots.detections import draw_detections
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.mask_detection import MaskDetection
from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.evaluate import Evaluation, Predict


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDetections(Result):
    """The objects that were found in one image, best first.

    Attributes:
        boxes: xyxy in pixels of the image [K, 4] float32, inside it.
        scores: [K] float32, in [0, 1].
        classes: [K] int32, indices of `class_names`.
        class_names: The detector's.
        image: The file or the array.
        size: Height and width of the image in pixels.
        masks: Pixels of each object [K, H, W] bool; None for a detector that finds boxes alone.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    class_names: tuple[str, ...]
    image: Image
    size: tuple[int, int]
    masks: np.ndarray | None = None

    columns = ("name", "score", "x1", "y1", "x2", "y2")

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
            masks=self.masks,
            min_size=min_size,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the objects as values that JSON can hold; boxes are xyxy in pixels.

        A mask is COCO's run lengths: its `size` and `counts`.
        """
        objects = zip(self.names, self.classes, self.scores, self.boxes, strict=True)
        masks: list[dict[str, Any]] = [{} for _ in self.names]
        if self.masks is not None:
            masks = [
                {"mask": {"size": list(self.size), "counts": runs["counts"].decode()}}
                for runs in run_lengths(self.masks)
            ]
        return {
            "image": path_of(self.image),
            "height": self.size[0],
            "width": self.size[1],
            "objects": [
                {"name": name, "class": int(k), "score": float(score), "box": box.tolist(), **mask}
                for (name, k, score, box), mask in zip(objects, masks, strict=True)
            ],
        }

    def summary(self) -> str:
        """Counts the objects of each class."""
        counts = Counter(self.names)
        return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing found"

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row for each object; corners are in pixels."""
        return [
            dict(zip(self.columns, (name, float(score), *box.tolist()), strict=True))
            for name, score, box in zip(self.names, self.scores, self.boxes, strict=True)
        ]


class Detector(ImagePredictor):
    """Finds objects in images of any size.

        detector = jaxvision.load("runs/yolox")
        found = detector("image.jpg")
        found.names, found.boxes, found.plot()
        careful = detector.replaced(threshold=0.6, classes=["dog"], tile=640)

    A network with weights from elsewhere becomes one, too:

        model, variables = pretrained.load("yolox_s", "yolox_s.pth")
        task = DenseDetection(model, YOLOXMethod(), class_names)
        detector = Detector(task, variables, Letterbox((640, 640)))

    The first image takes longer, since the network is compiled then.

    Attributes:
        class_names: By class index.
        batch_size: Images predicted at a time, at most.
        threshold: Objects with a lower score are dropped.
        max_proposals: Regions of an image that selective search finds, at most; 0 for a detector
            that proposes its own.
    """

    options = (
        "threshold",
        "iou",
        "nms",
        "class_agnostic",
        "classes",
        "tta",
        "tile",
        "batch_size",
        "metric",
    )
    formats = ("json", "csv", "yolo", "coco")
    task: DenseDetection

    def __init__(
        self,
        task: DenseDetection,
        variables: Mapping[str, Any],
        transform: Transform,
        *,
        batch_size: int = 16,
        threshold: float = 0.3,
        max_proposals: int = 0,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network, its method and the class names.
            variables: {"params", **other collections} of the network.
            transform: Prepares images as the evaluation of the network does.
            batch_size: Images predicted at a time, at most.
            threshold: Objects with a lower score are dropped; below the task's `score_threshold`
                it has no effect.
            max_proposals: Regions that selective search finds in an image, at most, for a task
                that does not propose its own; 0 for all others.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive, or `threshold` not in [0, 1].
        """
        super().__init__(
            task,
            variables,
            transform,
            class_names=task.class_names,
            batch_size=batch_size,
            origin=origin,
        )
        self.threshold = _share("threshold", threshold)
        self._suppress = jax.jit(task.suppress)
        self.max_proposals = max_proposals

    def replaced(
        self,
        *,
        threshold: float | None = None,
        iou: float | None = None,
        nms: str | None = None,
        class_agnostic: bool | None = None,
        classes: Sequence[str] | None = None,
        tta: bool | None = None,
        tile: int | None = None,
        batch_size: int | None = None,
        metric: str | None = None,
    ) -> Self:
        """Returns a detector of the same variables with other options; None keeps an option.

        Args:
            threshold: Objects with a lower score are dropped.
            iou: The worse of two boxes is dropped if they overlap by more than this.
            nms: What happens to overlapping boxes: `hard`, the best is kept; `soft_linear` and
                `soft_gaussian`, the others lose score; `fusion`, those of several views or models
                become their mean.
            class_agnostic: Whether boxes of different classes suppress each other, too.
            classes: Names of those that are looked for; others suppress nothing.
            tta: Whether images are also seen mirrored and at 3/4 and 5/4 of the input's size, which
                evaluations make of the input itself. All boxes go through one suppression.
            tile: Side of windows in pixels of the image that are seen one by one. They overlap by a
                fifth, so that smaller objects are whole in one of them; larger ones are found in
                the whole image. A box that an edge of its window cuts off is dropped; the others go
                through one suppression.
            batch_size: Images, or views of images, predicted at a time.
            metric: What evaluations compute: `coco`, `voc07` or `voc10`.

        Raises:
            ValueError: If a value is out of its range, there is no such class, or boxes of windows
                are to be fused.
        """
        changed = self._copied(batch_size)
        if threshold is not None:
            changed.threshold = _share("threshold", threshold)
        scales = SCALES if self.task.any_size else (1.0,)
        draws = isinstance(self.task, MaskDetection)
        # What draws masks sees other views itself, and joins their boxes before it does.
        views = {"tile": tile} if draws else {"tta": tta, "tile": tile}
        given = {name: value for name, value in views.items() if value is not None}
        changed._views = dataclasses.replace(self._views, scales=scales, **given)
        task: dict[str, Any] = {}
        if iou is not None:
            task["nms_threshold"] = _share("iou", iou)
        if nms is not None:
            task["nms"] = nms
        if metric is not None:
            task["metric"] = metric
        if tta is not None:
            task |= {"flip": tta, "scales": scales if tta else (1.0,)}
        if class_agnostic is not None:
            task["class_aware"] = not class_agnostic
        if classes is not None:
            task["wanted"] = tuple(_class_index(name, self.class_names) for name in classes)
        if changed._views.tile is not None and (nms or self.task.nms) == "fusion":
            raise ValueError(
                "nms=fusion needs views of the whole image, as tta has them, got tile="
                f"{changed._views.tile}; take another nms"
            )
        if draws and changed._views.tile is not None:
            raise ValueError(
                f"tile must be None for a detector that draws masks, got {changed._views.tile}"
            )
        # The programs are those of before unless something in them changed.
        if task:
            changed._change_task(**task)
        if changed._views.several and (task or not self._views.several):
            changed._infer = changed._compiled_candidates(changed.task)
        return changed

    def unsuppressed(self, threshold: float) -> Self:
        """Returns a detector of the same variables that finds all candidates, image by image.

        Args:
            threshold: Objects with a lower score are dropped.
        """
        changed, task = self._copied(batch_size=1), self.task
        changed.threshold = threshold
        # No IoU is above 1: nothing is suppressed.
        changed._change_task(
            nms="hard",
            nms_threshold=1.0,
            score_threshold=max(threshold, task.score_threshold),
            max_detections=task.max_candidates,
        )
        return changed

    def _change_task(self, **fields: Any) -> None:
        """Replaces fields of the task, and the programs."""
        self.task = dataclasses.replace(self.task, **fields)
        self._predict = self._infer = self._compiled(self.task)
        self._suppress = jax.jit(self.task.suppress)

    def __call__(self, inputs: Image | Iterable[Image], *, threshold: float | None = None) -> Any:
        """Finds the objects in images.

        Args:
            inputs: A file, RGB [H, W, 3] uint8, several of them, or a folder of files.
            threshold: Objects with a lower score are dropped; by default those below the
                detector's own.

        Returns:
            `ImageDetections` for one image, a list of them for several, in order.

        Raises:
            DataError: If a file is missing or is not an image.
            ValueError: If an array is not an RGB image, or a folder holds no image.
        """
        if threshold is not None:
            return self.replaced(threshold=threshold)(inputs)
        return super().__call__(inputs)

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: curves, confusions, calibration, misses, the worst pictures."""
        return report_detection(evaluation, data, self.class_names)

    def _compiled_candidates(self, task: DenseDetection) -> Predict:
        def candidates(
            params: Params, state: ModelState, batch: Batch, key: jax.Array
        ) -> Candidates:
            del key
            return task.candidates(params, state, batch)

        return jax.jit(candidates)

    def _outputs(
        self, task: Any, given: tuple[Params, ModelState, Batch], key: jax.Array, nms: bool
    ) -> dict[str, jax.Array]:
        if self.max_proposals:
            raise ValueError(
                "a detector that takes the regions of selective search can only be exported as "
                "safetensors"
            )
        if isinstance(task, MaskDetection):
            raise ValueError("a detector with masks can only be exported as safetensors")
        del key
        found = task.decoded(*given)
        return (jax.vmap(task.suppress)([found]) if nms else found)._asdict()

    def row(self, shown: np.ndarray) -> Row:
        """Makes the arrays of a batch's row of an input [h, w, 3] uint8."""
        if not self.max_proposals:
            return super().row(shown)
        sample = Sample(shown, 0, proposals=selective_search(shown, limit=self.max_proposals))
        return {"image": shown, **proposal_row(sample, self.max_proposals)}

    def _result(self, part: Part, parts: list[tuple[Part, Any]]) -> ImageDetections:
        found: Any = self._merged(parts) if self._views.several else parts[0][1]
        boxes, scores, classes, valid = map(np.asarray, found[:4])
        if not self._views.several:
            boxes = part.view.to_image(boxes)
        height, width = part.size
        whole = boxes
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        # A box in the border that fills up the input has no area in the image.
        kept = valid & (scores >= self.threshold) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        masks = None
        if isinstance(self.task, MaskDetection):
            pasted = paste_masks(np.asarray(found.masks)[kept], whole[kept], part.size)
            masks = pasted >= MASK_THRESHOLD
        return ImageDetections(
            boxes[kept], scores[kept], classes[kept], self.class_names, part.image, part.size, masks
        )

    def _merged(self, parts: list[tuple[Part, Candidates]]) -> Detections:
        """Joins the candidates of an image's views by one suppression, in pixels of the image."""
        placed = [part.view.to_image(np.asarray(found.boxes)) for part, found in parts]
        boxes = np.concatenate(placed)
        classes = np.concatenate([np.asarray(found.classes) for _, found in parts])
        cut = [
            part.view.left_to_others(each) for (part, _), each in zip(parts, placed, strict=True)
        ]
        scores = np.concatenate([np.asarray(found.scores) for _, found in parts])
        # Below every threshold.
        scores = np.where(np.concatenate(cut), np.float32(-1), scores)
        # Fusion counts the views that found an object; for the others all boxes are of one view,
        # padded to a power of two of views: a few programs, whatever the images' sizes.
        room = self.task.max_candidates
        counts = [len(view) for view in cut]
        if self.task.nms != "fusion":
            while room < len(scores):
                room *= 2
            counts = [len(scores)]
        ends = np.cumsum(counts)
        found = []
        for start, end in zip(ends - counts, ends, strict=True):
            rows = [(0, room - (end - start))]
            found.append(
                Candidates(
                    jnp.asarray(np.pad(boxes[start:end], [*rows, (0, 0)])),
                    jnp.asarray(np.pad(scores[start:end], rows, constant_values=-1)),
                    jnp.asarray(np.pad(classes[start:end], rows)),
                )
            )
        return jax.device_get(self._suppress(found))


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    return value


def _class_index(name: str, known: Sequence[str]) -> int:
    if name in known:
        return known.index(name)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; they are {', '.join(known)}"
    raise ValueError(f"classes must be names that the detector knows, got {name}{hint}")
