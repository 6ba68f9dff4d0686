"""Few-shot classification and metric learning, on batches of episodes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from clu import metrics

from jaxvision.data.plans.episodes import Episode
from jaxvision.losses.few_shot import (
    matching_log_probabilities,
    nearest_log_probabilities,
    prototypical_log_probabilities,
    query_loss,
)
from jaxvision.losses.metric_learning import (
    batch_hard_loss,
    contrastive,
    normalized,
    semi_hard_loss,
    squared_distances,
)
from jaxvision.metrics.few_shot import AccuracyBySize
from jaxvision.ops import ranges
from jaxvision.tasks.task import Batch, Loss, ModelState, Params

# Log probabilities of the classes of queries, by name of the loss; the others are below.
_CLASSIFIERS = {
    "prototypical": prototypical_log_probabilities,
    "matching": matching_log_probabilities,
    "semi_hard": nearest_log_probabilities,
    "batch_hard": nearest_log_probabilities,
}
_TRIPLETS = {"semi_hard": semi_hard_loss, "batch_hard": batch_hard_loss}
LOSSES = (*_CLASSIFIERS, "contrastive", "siamese")
Compare = Callable[[jax.Array, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class FewShot:
    """Trains an embedding on episodes and finds the classes of queries by their supports.

    Batches hold `image` [E * rows, H, W, 3], the episodes one after another, each as
    `jaxvision.data.plans.episodes.Episodes` orders its rows. The size of an evaluation's episodes
    is read off the number of its rows.

    Attributes:
        model: Maps grey images in [0, 1] to embeddings; for `siamese` a
            `jaxvision.models.embedding.siamese.Siamese`.
        loss_name: `prototypical`, `matching`, `semi_hard`, `batch_hard`, `contrastive` or
            `siamese`.
        episode: Size of the episodes of training.
        evaluated: Sizes of the episodes of evaluation, one of which makes a batch.
        margin: Of the triplets and the contrastive loss.

    Raises:
        ValueError: If `loss_name` is unknown or not for this network, the margin is negative, or
            two sizes of `evaluated` have as many rows.
    """

    model: Any
    loss_name: str
    episode: Episode
    evaluated: tuple[Episode, ...]
    margin: float = 0.2

    def __post_init__(self) -> None:
        if self.loss_name not in LOSSES:
            raise ValueError(f"loss.name must be one of {', '.join(LOSSES)}, got {self.loss_name}")
        ranges.check({"loss.margin": self.margin}, "[0, inf)", "loss.margin")
        rows = [each.rows for each in self.evaluated]
        if len(set(rows)) < len(rows):
            raise ValueError(
                "evaluated episodes must differ in their number of images, way * (shot + query), "
                f"got {', '.join(map(str, rows))}"
            )
        if (self.loss_name == "siamese") != hasattr(self.model, "compare"):
            raise ValueError(
                "loss.name must be siamese for siamese_koch and for no other network, got "
                f"{self.loss_name}"
            )

    def init(self, key: jax.Array, batch: Batch) -> tuple[Params, ModelState]:
        """Initialises the network for images of the batch's size."""
        images = self.prepare(batch["image"][:2])
        if self.loss_name == "siamese":
            images = images[None]
        variables = dict(self.model.init(key, images, train=False))
        return variables.pop("params"), variables

    def prepare(self, images: jax.Array) -> jax.Array:
        """Maps images [B, H, W, 3] uint8 to grey ones [B, H, W, 1] in [0, 1]."""
        return images[..., :1].astype(jnp.float32) / 255.0

    def loss(
        self,
        params: Params,
        state: ModelState,
        batch: Batch,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Loss:
        """Computes the mean loss of the episodes; all are normalised as one batch."""
        del step, key
        embeddings, state = self.model.apply(
            {"params": params, **state},
            self.prepare(batch["image"]),
            train=True,
            mutable=list(state),
            **self._method(),
        )
        compare = self._compare(params)

        def one(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
            support, queries = _parts(rows, self.episode)
            found = self._log_probabilities(support, queries, compare)
            return self._loss(support, queries, found, compare), _accuracy(found, self.episode)

        by_episode = embeddings.reshape(-1, self.episode.rows, embeddings.shape[-1])
        values, accuracies = jax.vmap(one)(by_episode)
        return Loss(values.mean(), state, {"accuracy": accuracies.mean()})

    def predict(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Computes the share of queries whose class is found in the episode of the batch [1].

        Raises:
            ValueError: If the batch has another number of rows than the evaluated episodes.
        """
        episode = self._evaluated(batch)
        support, queries = _parts(self.embed(params, state, batch, key=key), episode)
        return _accuracy(self.scores(params, support, queries), episode)[None]

    def measure(self, predictions: np.ndarray, batch: Batch) -> metrics.Metric:
        """Counts the episodes of a batch."""
        size = self._evaluated(batch).name
        return AccuracyBySize.from_model_output(size=size, accuracies=predictions)

    def embed(
        self, params: Params, state: ModelState, batch: Batch, *, key: jax.Array
    ) -> jax.Array:
        """Maps the images [B, H, W, 3] of a batch to embeddings [B, D]."""
        del key
        return self.model.apply(
            {"params": params, **state},
            self.prepare(batch["image"]),
            train=False,
            **self._method(),
        )

    def scores(self, params: Params, support: jax.Array, queries: jax.Array) -> jax.Array:
        """Compares queries with the supports of each class.

        Args:
            params: The network's.
            support: Embeddings [way, shot, D].
            queries: Embeddings [Q, D].

        Returns:
            Scores [Q, way], whose largest is the class of a query, and whose softmax is a
            probability where the loss makes it one: `prototypical` and `matching`.
        """
        return self._log_probabilities(support, queries, self._compare(params))

    def similarity(self, params: Params, first: jax.Array, second: jax.Array) -> jax.Array:
        """Compares pairs of embeddings [N, D].

        Returns:
            For `siamese` the probability [N] that both are of one class; else the cosine of each
            pair, in [-1, 1].
        """
        if self.loss_name == "siamese":
            return jax.nn.sigmoid(self._compare(params)(first, second))
        return (normalized(first) * normalized(second)).sum(axis=-1)

    def _evaluated(self, batch: Batch) -> Episode:
        """Returns the size of the episode of an evaluation's batch, by its number of rows."""
        count = batch["image"].shape[0]
        episode = next((each for each in self.evaluated if each.rows == count), None)
        if episode is None:
            raise ValueError(
                f"a batch must be an episode of {', '.join(str(e.rows) for e in self.evaluated)} "
                f"images, got {count}"
            )
        return episode

    def _method(self) -> dict[str, str]:
        return {"method": "embed"} if self.loss_name == "siamese" else {}

    def _compare(self, params: Params) -> Compare:
        def compare(first: jax.Array, second: jax.Array) -> jax.Array:
            return self.model.apply({"params": params}, first, second, method="compare")

        return compare

    def _log_probabilities(
        self, support: jax.Array, queries: jax.Array, compare: Compare
    ) -> jax.Array:
        """Returns scores [Q, way], whose largest is the class of a query."""
        if self.loss_name in _CLASSIFIERS:
            return _CLASSIFIERS[self.loss_name](support, queries)
        way, shot, size = support.shape
        flat = support.reshape(-1, size)
        if self.loss_name == "siamese":
            shape = (len(queries), len(flat), size)
            first = jnp.broadcast_to(queries[:, None], shape)
            scores = compare(first, jnp.broadcast_to(flat[None], shape))
        else:
            scores = -squared_distances(queries, flat)
        return scores.reshape(-1, way, shot).max(axis=-1)

    def _loss(
        self, support: jax.Array, queries: jax.Array, found: jax.Array, compare: Compare
    ) -> jax.Array:
        way, _, size = support.shape
        if self.loss_name in ("prototypical", "matching"):
            return query_loss(found, jnp.repeat(jnp.arange(way), self.episode.query))
        others = queries.reshape(way, -1, size)
        if self.loss_name in _TRIPLETS:
            both = jnp.concatenate([support, others], axis=1)
            labels = jnp.repeat(jnp.arange(way), both.shape[1])
            return _TRIPLETS[self.loss_name](both.reshape(-1, size), labels, margin=self.margin)
        # As many pairs of one class as of two: each with the next class.
        first = jnp.tile(support[:, 0], (2, 1))
        second = jnp.concatenate([others[:, 0], jnp.roll(others[:, 0], 1, axis=0)])
        same = jnp.repeat(jnp.asarray([1.0, 0.0]), way)
        if self.loss_name == "siamese":
            return optax.sigmoid_binary_cross_entropy(compare(first, second), same).mean()
        return contrastive(first, second, same, margin=self.margin).mean()


def _parts(rows: jax.Array, episode: Episode) -> tuple[jax.Array, jax.Array]:
    """Divides embeddings [rows, D] into supports [way, shot, D] and queries [Q, D]."""
    count = episode.way * episode.shot
    return rows[:count].reshape(episode.way, episode.shot, -1), rows[count:]


def _accuracy(found: jax.Array, episode: Episode) -> jax.Array:
    classes = jnp.repeat(jnp.arange(episode.way), episode.query)
    return (found.argmax(axis=-1) == classes).mean()
