"""A trained super-resolution network, applied to pictures of any size."""

import copy
import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.back_projection import back_projected
from jaxvision.data.imresize import rounded
from jaxvision.data.windows import Windows
from jaxvision.inference.image_predictor import ImagePredictor
from jaxvision.inference.images import Image, Part, path_of, pixels
from jaxvision.inference.predictor import Origin
from jaxvision.inference.program import Program
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.inference.reports.super_resolution import report_super_resolution
from jaxvision.inference.result import Result
from jaxvision.ops.eight_fold import of_eight
from jaxvision.plots.super_resolution import comparison
from jaxvision.tasks.super_resolution import Enlarged, SuperResolution
from jaxvision.tasks.task import Batch, ModelState, Params
from jaxvision.train.evaluate import Evaluation, Predict


@dataclasses.dataclass(frozen=True, eq=False)
class UpscaledImage(Result):
    """A picture, enlarged.

    Attributes:
        upscaled: RGB [s * H, s * W, 3] uint8.
        image: The input: a file or an array.
        size: Its height and width in pixels.
    """

    upscaled: np.ndarray
    image: Image
    size: tuple[int, int]

    columns = ("height", "width", "scale")

    @property
    def scale(self) -> int:
        """Pixels of the result along one of the picture."""
        return self.upscaled.shape[0] // self.size[0]

    @property
    def names(self) -> list[str]:
        """What is counted of a result: that it is one."""
        return ["enlarged"]

    def plot(self) -> np.ndarray:
        """Returns the enlarged picture, RGB [s * H, s * W, 3] uint8."""
        return self.upscaled

    def compare(self, truth: Image | None = None) -> np.ndarray:
        """Shows the input, its bicubic enlargement and the result beside each other.

        Args:
            truth: The picture in full resolution, a file or an array [s * H, s * W, 3], if it is
                known; then it and the error are shown, too.

        Returns:
            RGB [H', W', 3] uint8.

        Raises:
            ValueError: If the truth has another size.
        """
        known = None if truth is None else pixels(truth)
        if known is not None and known.shape != self.upscaled.shape:
            raise ValueError(
                f"the truth must have {self.upscaled.shape[0]} x {self.upscaled.shape[1]} pixels, "
                f"as the result, got {known.shape[0]} x {known.shape[1]}"
            )
        return comparison(pixels(self.image), self.upscaled, known)

    def to_dict(self) -> dict[str, Any]:
        """Returns the sizes as values that JSON can hold."""
        return {"image": path_of(self.image), **self.rows()[0]}

    def summary(self) -> str:
        """Says what size became what size."""
        (height, width), (tall, wide) = self.size, self.upscaled.shape[:2]
        return f"{width} x {height} to {wide} x {tall}"

    def rows(self) -> list[dict[str, Any]]:
        """Returns a row with the height and width of the result, and the scale."""
        height, width = self.upscaled.shape[:2]
        return [{"height": height, "width": width, "scale": self.scale}]


class Upscaler(ImagePredictor):
    """Enlarges pictures.

        upscaler = jaxvision.load("runs/srresnet")
        large = upscaler.upscale("image.png")  # RGB [s * H, s * W, 3] uint8
        found = upscaler("image.png")
        found.upscaled, found.compare("truth.png"), found.save("large.png")
        better = upscaler.replaced(tta=True, back_projection=10)

    The first picture of a size takes longer, since the network is compiled then; large pictures are
    seen in windows of one size.

    Attributes:
        batch_size: Windows predicted at a time, at most.
        windows: How large pictures are cut.
        back_projection: Steps after which the result, made small again, is closer to the input.
    """

    options = ("tta", "tile", "batch_size", "back_projection")
    formats = ("json", "csv")
    task: SuperResolution

    def __init__(
        self,
        task: SuperResolution,
        variables: Mapping[str, Any],
        transform: Windows,
        *,
        batch_size: int = 1,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network and the scale.
            variables: {"params", **other collections} of the network.
            transform: How large pictures are cut into windows.
            batch_size: Windows predicted at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        super().__init__(
            task, variables, _unchanged, class_names=(), batch_size=batch_size, origin=origin
        )
        self.windows = transform
        self.back_projection = 0
        self._views = transform

    def replaced(
        self,
        *,
        tta: bool | None = None,
        tile: int | None = None,
        batch_size: int | None = None,
        back_projection: int | None = None,
    ) -> Self:
        """Returns an upscaler of the same variables with other options; None keeps an option.

        Args:
            tta: Whether results are the mean of those of the eight mirrored and turned pictures.
            tile: Side of windows in pixels of the picture.
            batch_size: Windows predicted at a time.
            back_projection: Steps of back-projection (Irani and Peleg 1991), 0 for none.

        Raises:
            ValueError: If a value is out of its range.
        """
        changed = self._copied(batch_size)
        if tta is not None:
            changed._infer = _compiled_mean_of_eight(self.task) if tta else self._predict
        if tile is not None:
            changed.windows = dataclasses.replace(self.windows, side=tile)
            changed._views = changed.windows
        if back_projection is not None:
            if back_projection < 0:
                raise ValueError(f"back_projection must be at least 0, got {back_projection}")
            changed.back_projection = back_projection
        return changed

    def interpolated(self, other: "Upscaler", share: float) -> Self:
        """Mixes the parameters of two networks of one kind (ESRGAN, section 3.4).

            between = jaxvision.load("runs/psnr").interpolated(jaxvision.load("runs/esrgan"), 0.8)

        Args:
            other: Of the same variant and scale, one trained from the other.
            share: Of `other`, in [0, 1].

        Raises:
            ValueError: If the networks differ, or the share is out of its range.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be in [0, 1], got {share}")
        shapes = [jax.tree.map(jnp.shape, each.variables) for each in (self, other)]
        if shapes[0] != shapes[1]:
            raise ValueError("only networks of the same variant can be interpolated")
        mixed = copy.copy(self)
        mixed.params, mixed.model_state = jax.tree.map(
            lambda x, y: (1 - share) * x + share * y,
            (self.params, self.model_state),
            (other.params, other.model_state),
        )
        return mixed

    def upscale(self, picture: Image) -> np.ndarray:
        """Enlarges a picture.

        Args:
            picture: A file, or RGB [H, W, 3] uint8.

        Returns:
            RGB [s * H, s * W, 3] uint8.

        Raises:
            DataError: If the file is missing or is not an image.
            ValueError: If the array is not an RGB image.
        """
        if not isinstance(picture, (str, os.PathLike, np.ndarray)):
            raise ValueError(f"expected one picture, a file or an array, got {type(picture)}")
        return self([picture])[0].upscaled

    def data(self, split: str = "val", *, path: str | None = None, name: str | None = None) -> Any:
        """Opens pictures for evaluation; `path` names folders as `data.eval` does."""
        if path is None or self.origin is None:
            return super().data(split, name=name)
        config = self.origin.config.copy_and_resolve_references()
        with config.unlocked():
            config.data.eval = path
        return self.origin.recipe.eval_data(config, self.origin.info, "val")

    def restored(self, row: Mapping[str, Any]) -> np.ndarray:
        """Enlarges a picture of an evaluation as that did, RGB [s * H, s * W, 3] uint8.

        Args:
            row: Of the evaluation's stream.
        """
        batch = {name: np.asarray(row[name])[None] for name in ("image", "index")}
        key = jax.random.key(0)
        found = self._predict(self.params, self.model_state, batch, key)
        return rounded(np.asarray(found.image[0])).astype(np.uint8)

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: the sets, each picture, the first ones beside the truth."""
        return report_super_resolution(evaluation, data, self)

    def program(self) -> Program:
        """Returns all that enlarging a batch of windows computes."""
        side = self.windows.side

        def apply(variables: Any, images: jax.Array) -> Any:
            state = dict(variables)
            params = state.pop("params")
            return self.task.predict(params, state, {"image": images}, key=jax.random.key(0)).image

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(0)
            return (rng.integers(0, 256, (batch, side, side, 3), np.uint8),)

        return Program(apply, inputs, f"image {side} x {side}")

    def _outputs(
        self, task: Any, given: tuple[Params, ModelState, Batch], key: jax.Array, nms: bool
    ) -> dict[str, jax.Array]:
        if nms:
            raise ValueError("nms is for detectors, got an upscaler")
        return {"enlarged": task.predict(*given, key=key).image}

    def _collected(self) -> "_Canvas":
        return _Canvas(self.task.scale)

    def _result(self, part: Part, parts: "_Canvas") -> UpscaledImage:
        large = parts.picture()
        if self.back_projection:
            large = back_projected(large, pixels(part.image), self.back_projection)
        upscaled = rounded(large).astype(np.uint8)
        return UpscaledImage(upscaled, part.image, part.size)


def _unchanged(sample: Any, rng: np.random.Generator | None = None) -> Any:
    del rng
    return sample


class _Canvas:
    """Puts the results of a picture's windows together."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._picture: np.ndarray | None = None

    def append(self, answer: tuple[Part, Enlarged]) -> None:
        part, found = answer
        window: Any = part.view
        if self._picture is None:
            height, width = (self._scale * side for side in part.size)
            self._picture = np.empty((height, width, 3), np.float32)
        left, top, right, bottom = (self._scale * x for x in window.kept)
        x, y = left - self._scale * window.left, top - self._scale * window.top
        shown = np.asarray(found.image)[y : y + bottom - top, x : x + right - left]
        self._picture[top:bottom, left:right] = shown

    def picture(self) -> np.ndarray:
        """Returns RGB [s * H, s * W, 3] float32, neither rounded nor clipped."""
        if self._picture is None:
            raise ValueError("expected at least one window, got none")
        return self._picture


def _compiled_mean_of_eight(task: SuperResolution) -> Predict:
    def predict(params: Params, state: ModelState, batch: Batch, key: jax.Array) -> Enlarged:
        def enlarge(images: jax.Array) -> jax.Array:
            return task.predict(params, state, {**batch, "image": images}, key=key).image

        return Enlarged(of_eight(enlarge, batch["image"]), None)

    return jax.jit(predict)
