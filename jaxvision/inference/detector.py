"""A trained detector, applied to pictures."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxvision import models
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.image import read_image
from jaxvision.models.detection.yolox import YOLOX
from jaxvision.tasks.yolox_detection import YOLOXDetection
from jaxvision.train.checkpoint import read_checkpoint
from jaxvision.train.precision import compute_dtype


class PictureDetections(NamedTuple):
    """What a detector found in one picture, best first.

    Attributes:
        boxes: xyxy in pixels of the picture [K, 4] float32, inside it.
        scores: [K] float32, in [0, 1].
        classes: [K] int32, indices of the detector's `class_names`.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Detector:
    """Finds objects in pictures of any size.

        detector = Detector.from_run("runs/yolox")
        found = detector("picture.jpg")
        names = [detector.class_names[k] for k in found.classes]

    Weights that come from elsewhere are as good:

        model, variables = pretrained.load("yolox_s", "yolox_s.pth")
        detector = Detector(model, variables, class_names, image_size=640)

    The first picture takes longer, as the network is compiled then.

    Attributes:
        model: The network.
        variables: {"params", "batch_stats"} of it, on the default device.
        class_names: By class index.
        image_size: Side of the network's input in pixels.
    """

    def __init__(
        self,
        model: YOLOX,
        variables: dict[str, Any],
        class_names: Sequence[str],
        image_size: int,
    ) -> None:
        """Puts the variables on the default device.

        Args:
            model: The network.
            variables: {"params", "batch_stats"} of it.
            class_names: As many as the network has classes.
            image_size: Side of the network's input in pixels, a multiple of 32; a picture is
                resized to fit into it.

        Raises:
            ValueError: If the number of names or the image size does not fit the network.
        """
        if len(class_names) != model.num_classes:
            raise ValueError(
                f"class_names must be {model.num_classes}, one a class of the model, "
                f"got {len(class_names)}"
            )
        if image_size % 32 or image_size < 32:
            raise ValueError(f"image_size must be a multiple of 32, got {image_size}")
        self.model = model
        self.variables = jax.device_put(dict(variables))
        self.class_names = tuple(class_names)
        self.image_size = image_size
        self._letterbox = Letterbox((image_size, image_size))
        # One threshold is enough, the caller's: suppression has the same result before it.
        task = YOLOXDetection(model, self.class_names, score_threshold=0.0)
        self._predict = jax.jit(task.predict)

    @classmethod
    def from_run(cls, workdir: str | os.PathLike[str], *, step: int | None = None) -> "Detector":
        """Reads a checkpoint of a run, also of one that was interrupted or still goes on.

        Args:
            workdir: The folder of the run.
            step: Which checkpoint; by default the one with the best metric, or the newest where
                none was evaluated.

        Raises:
            FileNotFoundError: If the folder holds no checkpoints.
            ValueError: If there is none of that step, or the run is not one of a YOLOX config.
        """
        variables, meta = read_checkpoint(pathlib.Path(workdir), step)
        config = meta.get("config", {})
        missing = [k for k in ("variant", "image_size", "dtype") if k not in config]
        if missing:
            raise ValueError(
                f"{workdir} must be a run of configs/yolox.py, but the config in its checkpoint "
                f"has no {', '.join(missing)}"
            )
        names = meta["class_names"]
        model = models.yolox(
            config["variant"], num_classes=len(names), dtype=compute_dtype(config["dtype"])
        )
        return cls(model, variables, names, config["image_size"])

    def __call__(
        self, image: str | os.PathLike[str] | np.ndarray, *, threshold: float = 0.3
    ) -> PictureDetections:
        """Finds the objects in a picture.

        Args:
            image: A file, or RGB [H, W, 3] uint8.
            threshold: Detections with a lower score are left out; 300 are left at most.

        Raises:
            DataError: If the file is missing or no image.
            ValueError: If the array is not an RGB image.
        """
        if not isinstance(image, np.ndarray):
            image = read_image(os.fspath(image))
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(
                f"image must be RGB [H, W, 3] uint8, got {list(image.shape)} {image.dtype}"
            )
        height, width, _ = image.shape
        boxed, _, scale = self._letterbox(image, np.zeros((0, 4), np.float32))
        state = {k: v for k, v in self.variables.items() if k != "params"}
        found = self._predict(self.variables["params"], state, {"image": boxed[None]})
        boxes, scores, classes, valid = (x[0] for x in jax.device_get(found))
        limit = np.array([width, height, width, height], np.float32)
        boxes = np.clip(boxes / np.float32(scale), 0, limit)
        # A box in the border that fills up the input has no area in the picture.
        kept = valid & (scores >= threshold) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return PictureDetections(boxes[kept], scores[kept], classes[kept])
