"""Semantic segmentation with any network: a class for every pixel."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np
from clu import metrics

from jaxvision.data.augment.letterbox import fitted
from jaxvision.data.batch import SegmentationBatch
from jaxvision.data.probabilities import enlarged_labels
from jaxvision.data.sample import VOID
from jaxvision.losses.segmentation import dice_loss, pixel_cross_entropy
from jaxvision.metrics.segmentation import Segmentation
from jaxvision.models.segmentation.segmenter_output import SegmenterOutput
from jaxvision.ops import ranges
from jaxvision.tasks.classification import IMAGENET_MEAN, IMAGENET_STD
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


class SegmentationNetwork(Protocol):
    """A Flax module from images [B, H, W, C] to logits [B, H, W, K] or a `SegmenterOutput`."""

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Initialises the variables."""
        ...

    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the logits."""
        ...


@dataclasses.dataclass(frozen=True)
class SemanticSegmentation:
    """Trains a network on batches of `jaxvision.data.batch.SegmentationBatch`.

    The loss is a sum of up to three terms. The logits of a network without padding are smaller than
    its images; label maps are then cut to their size.

    Attributes:
        model: The network; its classes are those of `class_names`.
        class_names: For the metric, by class index.
        mean: Mean of each channel, for images in [0, 1]. With one number the network takes grey
            images [B, H, W, 1], the mean of the three channels.
        std: Standard deviation of each channel, or one number.
        cross_entropy: Factor of the cross entropy.
        dice: Factor of the Dice loss, a mean over the classes.
        focal: Factor of the focal loss.
        gamma: Exponent of the focal loss, at least 1.
        smooth: Added to both sides of the Dice loss's fraction.
        class_weights: Weight of each class in cross entropy and focal loss; () for none.
        auxiliary_weight: Factor of the loss of each auxiliary head, for networks that have any.
        full_size: Whether predictions are measured at the size of the label maps in a batch's
            `truth`, to which the probabilities are interpolated, and not at that of the input.

    Raises:
        ValueError: If a number or a tuple's length is wrong.
    """

    model: SegmentationNetwork
    class_names: tuple[str, ...]
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    cross_entropy: float = 1.0
    dice: float = 0.0
    focal: float = 0.0
    gamma: float = 2.0
    smooth: float = 1.0
    class_weights: tuple[float, ...] = ()
    auxiliary_weight: float = 0.5
    full_size: bool = False

    def __post_init__(self) -> None:
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise ValueError(
                f"mean and std must have 3 numbers each, or 1 for grey images, got {self.mean} and "
                f"{self.std}"
            )
        ranges.check(self, "(-inf, inf)", "mean")
        ranges.check(self, "(0, inf)", "std")
        count = len(self.class_names)
        if not 2 <= count < VOID:
            raise ValueError(f"class_names must be 2 to {VOID - 1} names, got {count}")
        if self.class_weights and len(self.class_weights) != count:
            raise ValueError(
                f"class_weights must have {count} numbers, one a class, got "
                f"{len(self.class_weights)}"
            )
        ranges.check(self, "[0, inf)", "cross_entropy", "dice", "focal")
        if not (self.cross_entropy or self.dice or self.focal):
            raise ValueError("one of cross_entropy, dice and focal must be above 0, got 0 for all")
        ranges.check(self, "[1, inf)", "gamma")
        ranges.check(self, "[0, inf)", "class_weights", "auxiliary_weight", "smooth")

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for images of the batch's size."""
        images = self.normalize(batch["image"][:1])
        params_key, dropout_key = jax.random.split(key)
        rngs = {"params": params_key, "dropout": dropout_key}
        variables = dict(self.model.init(rngs, images, train=True))
        return variables.pop("params"), variables

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the loss of a batch: 0 if all of its pixels are void."""
        del step
        output, state = self.model.apply(
            {"params": params, **state},
            self.normalize(batch["image"]),
            train=True,
            mutable=list(state),
            rngs={"dropout": key},
        )
        logits, auxiliary = _parts(output)
        value, logs = self._terms(logits, batch)
        if auxiliary:
            inner = sum((self._terms(x, batch)[0] for x in auxiliary), start=jnp.zeros(()))
            logs |= {"main": value, "auxiliary": inner}
            value = value + self.auxiliary_weight * inner
        labels = cut_to(batch["label_map"], logits)
        valid = labels != VOID
        right = (logits.argmax(axis=-1) == labels) & valid
        logs["pixel_accuracy"] = right.sum() / jnp.maximum(valid.sum(), 1)
        return Loss(value, state, logs)

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Computes the class of every pixel [B, H, W] int32.

        With `full_size` the probabilities of all classes [B, H, W, K] float32 instead.
        """
        del key
        if self.full_size:
            return self.probabilities(params, state, batch)
        return self._logits(params, state, batch).argmax(axis=-1).astype(jnp.int32)

    def probabilities(self, params: Params, state: ModelState, batch: Batch) -> jax.Array:
        """Computes the probability of every class at every pixel [B, H, W, K] float32."""
        return jax.nn.softmax(self._logits(params, state, batch))

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares predictions with the label maps of an evaluation batch."""
        if self.full_size:
            return Segmentation.from_images(_full_size(predictions, batch), self.class_names)
        return Segmentation.from_model_output(
            predicted=predictions,
            batch=cast(
                SegmentationBatch, {**batch, "label_map": cut_to(batch["label_map"], predictions)}
            ),
            class_names=self.class_names,
        )

    def normalize(self, images: jax.Array) -> jax.Array:
        """Maps images [B, H, W, 3] uint8 to the network's input [B, H, W, 3 or 1] float32."""
        x = images.astype(jnp.float32) / 255.0
        if len(self.mean) == 1:
            x = x.mean(axis=-1, keepdims=True)
        mean, std = (jnp.asarray(v, jnp.float32)[None, None, None] for v in (self.mean, self.std))
        return (x - mean) / std

    def _logits(self, params: Params, state: ModelState, batch: Batch) -> jax.Array:
        images = self.normalize(batch["image"])
        output = self.model.apply({"params": params, **state}, images, train=False)
        return _parts(output)[0].astype(jnp.float32)

    def _terms(self, logits: jax.Array, batch: Batch) -> tuple[jax.Array, dict[str, jax.Array]]:
        labels = cut_to(batch["label_map"], logits)
        options: dict[str, Any] = {}
        if self.class_weights:
            options["class_weights"] = jnp.asarray(self.class_weights)
        if "pixel_weights" in batch:
            options["pixel_weights"] = cut_to(batch["pixel_weights"], logits)
        found = {}
        if self.cross_entropy:
            found["cross_entropy"] = pixel_cross_entropy(logits, labels, **options)
        if self.dice:
            found["dice"] = dice_loss(logits, labels, smooth=self.smooth)
        if self.focal:
            found["focal"] = pixel_cross_entropy(logits, labels, gamma=self.gamma, **options)
        terms = [getattr(self, name) * term for name, term in found.items()]
        return sum(terms, start=jnp.zeros(())), found if len(found) > 1 else {}


def cut_to(array: Any, logits: Any) -> Any:
    """Cuts the middle of maps [B, H, W] to the height and width of logits [B, h, w, ...]."""
    height, width = logits.shape[1:3]
    top, left = (array.shape[1] - height) // 2, (array.shape[2] - width) // 2
    return array[:, top : top + height, left : left + width]


def _full_size(probabilities: np.ndarray, batch: Batch) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields true and predicted classes [H, W] of each image of a batch, at its own size."""
    input_size = batch["image"].shape[1:3]
    if probabilities.shape[1:3] != input_size:
        raise ValueError(
            "full_size needs a network whose logits have the size of its images, "
            f"{input_size}, got {probabilities.shape[1:3]}"
        )
    for own, truth, counts in zip(probabilities, batch["truth"], batch["mask"], strict=True):
        if counts:
            rows, columns = fitted(truth.shape, input_size)[1]
            yield truth, enlarged_labels([own[:rows, :columns]], truth.shape)


def _parts(output: jax.Array | SegmenterOutput) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    if isinstance(output, SegmenterOutput):
        return output.logits, output.auxiliary
    return output, ()
