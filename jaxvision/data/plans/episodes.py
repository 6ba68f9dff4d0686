"""The plan of few-shot learning: episodes of a few classes with a few images each."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.ops import ranges


class Episode(NamedTuple):
    """The size of an episode.

    Attributes:
        way: Classes.
        shot: Labelled images of each class, the supports.
        query: Further images of each class, whose class is to be found.
    """

    way: int
    shot: int
    query: int

    @property
    def rows(self) -> int:
        """Images of an episode."""
        return self.way * (self.shot + self.query)

    @property
    def name(self) -> str:
        """Ways and shots, as `5way_1shot`."""
        return f"{self.way}way_{self.shot}shot"


class Episodes:
    """Batches of episodes, drawn anew in every epoch.

    The rows of an episode are its supports, class by class, then its queries, class by class.

    Attributes:
        masked: False: an image is in as many episodes as it is drawn for.
    """

    masked = False

    def __init__(self, labels: np.ndarray, episode: Episode, batches: int, batch_size: int) -> None:
        """Describes the plan.

        Args:
            labels: Class of each image [I].
            episode: Size of the episodes.
            batches: Batches of an epoch.
            batch_size: Episodes of a batch.

        Raises:
            DataError: If there are fewer classes than ways, or a class has fewer images than an
                episode needs.
            ValueError: If a number is out of its range.
        """
        ranges.check(episode._asdict(), "[1, inf)", "shot", "query")
        ranges.check(episode._asdict(), "[2, inf)", "way")
        ranges.check(
            {"batches": batches, "batch_size": batch_size}, "[1, inf)", "batches", "batch_size"
        )
        classes, counts = np.unique(labels, return_counts=True)
        if len(classes) < episode.way:
            raise DataError(
                f"an episode of {episode.way} ways needs as many classes, and the split has "
                f"{len(classes)}; add classes or lower the way"
            )
        needed = episode.shot + episode.query
        if (fewest := counts.min()) < needed:
            raise DataError(
                f"an episode needs {episode.shot} + {episode.query} images of each class, and "
                f"class number {classes[counts.argmin()]} has {fewest}; lower shot or query"
            )
        order = np.argsort(labels, kind="stable")
        self._images = np.split(order, np.cumsum(counts)[:-1])
        self._episode, self._batches, self._batch_size = episode, batches, batch_size

    def __len__(self) -> int:
        return self._batches

    def __call__(self, epoch: int, rng: np.random.Generator) -> np.ndarray:
        """Returns the numbers of the images [batches, batch_size * rows of an episode]."""
        episodes = [self._draw(rng) for _ in range(self._batches * self._batch_size)]
        return np.stack(episodes).reshape(self._batches, -1)

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        way, shot, query = self._episode
        chosen = rng.choice(len(self._images), way, replace=False)
        drawn = np.stack([rng.choice(self._images[k], shot + query, replace=False) for k in chosen])
        return np.concatenate([drawn[:, :shot].ravel(), drawn[:, shot:].ravel()])


class EpisodesOfSizes:
    """The batches of several plans of episodes, one plan after another.

    Attributes:
        masked: False, as of each.
    """

    masked = False

    def __init__(self, plans: Sequence[Episodes]) -> None:
        self._plans = tuple(plans)

    def __len__(self) -> int:
        return sum(map(len, self._plans))

    def __call__(self, epoch: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Returns the numbers of the images of each batch, which differ in their lengths."""
        # Each draws what it draws alone.
        return [batch for plan in self._plans for batch in plan(epoch, copy.deepcopy(rng))]
