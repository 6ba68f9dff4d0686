"""Image classification with any network, one class an image or several."""

import dataclasses
import functools
import math
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
from clu import metrics

from jaxvision.data.batch import ClassificationBatch
from jaxvision.layers.initializers import orthogonal_kernels
from jaxvision.losses.classification import (
    binary_cross_entropy,
    huber,
    kl_divergence,
    mean_squared_error,
    sigmoid_focal,
    softmax_cross_entropy,
    softmax_focal,
)
from jaxvision.losses.distillation import soft_targets
from jaxvision.metrics.classification import Classification
from jaxvision.metrics.multi_label import MultiLabel
from jaxvision.models.classifier_output import ClassifierOutput
from jaxvision.ops import ranges
from jaxvision.ops.contrast import NORMALISATIONS, contrast
from jaxvision.ops.mixing import cutmix, mixup, random_erasing
from jaxvision.tasks.task import Batch, Loss, ModelState, Params

# ImageNet's channels, images in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# By name and `multi_label`.
LOSSES = {
    ("cross_entropy", False): softmax_cross_entropy,
    ("focal", False): softmax_focal,
    # A sigmoid for each class, as in "ResNet strikes back", Wightman et al. 2021.
    ("binary_cross_entropy", False): binary_cross_entropy,
    ("binary_cross_entropy", True): binary_cross_entropy,
    ("focal", True): sigmoid_focal,
    ("kl", False): kl_divergence,
    ("mse", False): mean_squared_error,
    ("huber", False): huber,
}


class Classifier(Protocol):
    """A Flax module that maps images [B, H, W, C] to logits [B, K] or a `ClassifierOutput`."""

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Initialises the variables."""
        ...

    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the logits."""
        ...


_INITIAL = ("", "orthogonal")
# The value of `normalise` that whitens, the collection of the model's state and the part of it that
# hold the whitening, and the most values of an image: its matrix has the square of their number.
ZCA = "zca"
WHITENING = "whitening"
_MOST_VALUES = 64 * 64 * 3
_NORMALISATIONS = {**NORMALISATIONS, ZCA: contrast}
# The key of a batch that holds the variables of a teacher, a constant of the experiment.
TEACHER = "teacher"


@dataclasses.dataclass(frozen=True)
class Distillation:
    """Learning from a teacher, whose variables are the batch's `TEACHER`.

    Attributes:
        model: Its network.
        temperature: T, which divides the logits of both.
        weight: Share of the soft targets in the loss; the rest is that of the labels.

    Raises:
        ValueError: If a number is out of its range.
    """

    model: Classifier
    temperature: float = 2.0
    weight: float = 0.7

    def __post_init__(self) -> None:
        ranges.check(self, "(0, inf)", "temperature")
        ranges.check(self, "[0, 1]", "weight")

    def loss(self, images: jax.Array, variables: Any, logits: jax.Array) -> jax.Array:
        """Returns the mean loss [] of a student's logits [B, K] against the teacher's."""
        output = self.model.apply(variables, images, train=False)
        teacher = _parts(output)[0].astype(jnp.float32)
        student = logits.astype(jnp.float32)
        return soft_targets(student, teacher, temperature=self.temperature).mean()


@dataclasses.dataclass(frozen=True)
class ImageClassification:
    """Trains a classifier on batches of `jaxvision.data.batch.ClassificationBatch`.

    In training, normalised images are partly erased, then mixed.

    Attributes:
        model: The network; its classes are those of `class_names`.
        class_names: For the metric, by class index.
        multi_label: Whether an image may show several classes: batches have `targets` [B, K] in
            place of `label` [B].
        mean: Mean of each channel, for images in [0, 1]. With one number the network takes grey
            images [B, H, W, 1], the mean of the three channels.
        std: Standard deviation of each channel, or one number.
        loss_name: `cross_entropy`, `binary_cross_entropy` or `focal`; without `multi_label`
            `kl`, `mse` and `huber`, too.
        label_smoothing: Share of each target that is spread over all classes.
        class_weights: Factor of each class's term in the loss, by class index; () for none.
        auxiliary_weight: Factor of the loss of each auxiliary head, for networks that have any.
        mixup: Parameter of mixup's Beta distribution, 0 for none.
        cutmix: Parameter of CutMix's, 0 for none; with both, each batch gets one of the two,
            equally often.
        erase: Probability that a part of an image is erased.
        distillation: A teacher whose outputs are learned besides the labels; None for none.
        normalise: `min_max` or `contrast` of each image, before `mean` and `std`; empty for none.
            `zca` whitens after the contrast, by what the model's state holds: nothing changes
            before a `jaxvision.data.whitening.Whitening` of training images is put there.
        initial: `orthogonal` for kernels that start so; empty for the network's own.

    Raises:
        ValueError: If `loss_name` is unknown, or a number or a tuple's length is wrong.
    """

    model: Classifier
    class_names: tuple[str, ...]
    multi_label: bool = False
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    loss_name: str = "cross_entropy"
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    auxiliary_weight: float = 0.3
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0
    distillation: Distillation | None = None
    normalise: str = ""
    initial: str = ""

    def __post_init__(self) -> None:
        for name, known in (("normalise", _NORMALISATIONS), ("initial", _INITIAL)):
            if getattr(self, name) not in known:
                words = ", ".join(word or "empty" for word in known)
                raise ValueError(f"{name} must be one of {words}, got {getattr(self, name)}")
        if (self.loss_name, self.multi_label) not in LOSSES:
            known = [name for name, multi_label in LOSSES if multi_label == self.multi_label]
            raise ValueError(
                f"loss_name must be one of {', '.join(known)}"
                f"{' with multi_label' if self.multi_label else ''}, "
                f"got {self.loss_name}"
            )
        if len(self.mean) not in (1, 3) or len(self.std) != len(self.mean):
            raise ValueError(
                f"mean and std must have 3 numbers each, or 1 for grey images, got {self.mean} and "
                f"{self.std}"
            )
        ranges.check(self, "(-inf, inf)", "mean")
        ranges.check(self, "(0, inf)", "std")
        if self.class_weights and len(self.class_weights) != len(self.class_names):
            raise ValueError(
                f"class_weights must have {len(self.class_names)} numbers, one a class, got "
                f"{len(self.class_weights)}"
            )
        ranges.check(self, "[0, 1]", "label_smoothing", "erase")
        ranges.check(self, "[0, inf)", "class_weights", "mixup", "cutmix", "auxiliary_weight")

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for images of the batch's size."""
        state = self._whitening(batch["image"].shape[1:])
        images = self.normalize(batch["image"][:1], state)
        params_key, dropout_key = jax.random.split(key)
        # With train=True, since only training runs auxiliary heads and so makes their parameters.
        variables = dict(
            self.model.init({"params": params_key, "dropout": dropout_key}, images, train=True)
        )
        params = variables.pop("params")
        if self.initial:
            params = orthogonal_kernels(params_key, params)
        return params, variables | state

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the mean loss of a batch, after erasing and mixing its images."""
        del step
        dropout_key, erase_key, mix_key = jax.random.split(key, 3)
        images, targets = self.normalize(batch["image"], state), self.targets(batch)
        if self.erase:
            images = random_erasing(erase_key, images, probability=self.erase)
        images, targets = self._mix(mix_key, images, targets)
        output, state = self.model.apply(
            {"params": params, **state},
            images,
            train=True,
            mutable=list(state),
            rngs={"dropout": dropout_key},
        )
        logits, auxiliary = _parts(output)
        main = self._mean_loss(logits, targets)
        logs = {}
        value = main
        if self.distillation is not None:
            share = self.distillation.weight
            soft = self.distillation.loss(images, batch[TEACHER], logits)
            value = (1 - share) * main + share * soft
            logs |= {"main": main, "soft": soft}
        if auxiliary:
            inner = sum((self._mean_loss(x, targets) for x in auxiliary), start=jnp.zeros(()))
            value += self.auxiliary_weight * inner
            logs |= {"main": main, "auxiliary": inner}
        if not self.multi_label:
            logs["accuracy"] = (logits.argmax(axis=-1) == targets.argmax(axis=-1)).mean()
        return Loss(value, state, logs)

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Computes the probabilities [B, K] of a batch."""
        del key
        images = self.normalize(batch["image"], state)
        output = self.model.apply({"params": params, **state}, images, train=False)
        logits = _parts(output)[0].astype(jnp.float32)
        return jax.nn.sigmoid(logits) if self.multi_label else jax.nn.softmax(logits)

    def measure(self, predictions: Any, batch: Batch) -> metrics.Metric:
        """Compares probabilities [B, K] with the true classes of an evaluation batch."""
        kind = MultiLabel if self.multi_label else Classification
        return kind.from_model_output(
            probabilities=predictions,
            batch=cast(ClassificationBatch, batch),
            class_names=self.class_names,
        )

    def normalize(self, images: jax.Array, state: ModelState) -> jax.Array:
        """Maps images [B, ..., H, W, 3] uint8 to the network's input [B, ..., 3 or 1] float32.

        Args:
            images: In [0, 255].
            state: The model's, which holds the whitening of `zca`.
        """
        x = self.contrasted(images)
        if self.normalise == ZCA:
            whitening = state[WHITENING][ZCA]
            rows = x.reshape(len(x), -1) - whitening["mean"][None]
            x = (rows @ whitening["matrix"]).reshape(x.shape)
        shape = (1,) * (x.ndim - 1) + (-1,)
        mean, std = (jnp.asarray(v, jnp.float32).reshape(shape) for v in (self.mean, self.std))
        return (x - mean) / std

    def contrasted(self, images: jax.Array) -> jax.Array:
        """Maps images to what is whitened, or what `mean` and `std` are of: grey, `normalise`."""
        x = images.astype(jnp.float32) / 255.0
        if len(self.mean) == 1:
            x = x.mean(axis=-1, keepdims=True)
        return _NORMALISATIONS[self.normalise](x)

    def targets(self, batch: Batch) -> jax.Array:
        """Returns the probability of each class [B, K] float32."""
        if self.multi_label:
            return batch["targets"]
        return jax.nn.one_hot(batch["label"], len(self.class_names))

    def _whitening(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Returns a whitening that changes nothing, for images of a shape [..., H, W, 3]."""
        if self.normalise != ZCA:
            return {}
        values = math.prod(shape[:-1]) * len(self.mean)
        if values > _MOST_VALUES:
            raise ValueError(
                f"normalise=zca relates each value of an image to each, at most {_MOST_VALUES:,} "
                f"of them (64 x 64 pixels in colour), got {values:,}; make image_size smaller"
            )
        start = {"mean": jnp.zeros(values), "matrix": jnp.eye(values)}
        return {WHITENING: {ZCA: start}}

    def _mix(
        self, key: jax.Array, images: jax.Array, targets: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        mixers = [
            functools.partial(mix, alpha=alpha)
            for mix, alpha in ((mixup, self.mixup), (cutmix, self.cutmix))
            if alpha
        ]
        if not mixers:
            return images, targets
        choice_key, key = jax.random.split(key)
        choice = jax.random.randint(choice_key, (), 0, len(mixers))
        return jax.lax.switch(choice, mixers, key, images, targets)

    def _mean_loss(self, logits: jax.Array, targets: jax.Array) -> jax.Array:
        weights = jnp.asarray(self.class_weights) if self.class_weights else None
        return LOSSES[self.loss_name, self.multi_label](
            logits.astype(jnp.float32),
            targets,
            label_smoothing=self.label_smoothing,
            class_weights=weights,
        ).mean()


def _parts(output: jax.Array | ClassifierOutput) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    if isinstance(output, ClassifierOutput):
        return output.logits, output.auxiliary
    return output, ()
