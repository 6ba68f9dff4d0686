"""What every predictor of images does: read, prepare, batch, and put the answers in order."""

import abc
import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.rows import Row
from jaxvision.data.source import Transform
from jaxvision.inference import images as reading
from jaxvision.inference.images import Image, OnFault, Part, batch_rows, image_batches, listed
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.result import Result
from jaxvision.inference.views import Views
from jaxvision.tasks.task import Batch, ModelState, Params, Task

# What an input of so many axes is.
_NOUNS = {3: "image", 4: "clip"}


class ImagePredictor(Predictor):
    """A task on images, with trained variables.

    Attributes:
        class_names: By class index.
        batch_size: Images predicted at a time, at most.
        transform: Prepares an image as the evaluation of the network does.
    """

    reads = "images"

    def __init__(
        self,
        task: Task,
        variables: Mapping[str, Any],
        transform: Transform,
        *,
        class_names: tuple[str, ...],
        batch_size: int,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network.
            variables: {"params", **other collections} of the network.
            transform: Prepares images as the evaluation of the network does.
            class_names: By class index.
            batch_size: Images predicted at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        super().__init__(task, variables, origin=origin)
        self.class_names = class_names
        self.batch_size = _positive(batch_size)
        self.transform = transform
        self._views: Any = Views(transform)

    def stream(
        self,
        inputs: Iterable[Image],
        *,
        count: int | None = None,
        on_fault: OnFault = reading.stop,
    ) -> Iterator[Any]:
        """Predicts images one after another, of which there may be any number.

        Args:
            inputs: Files and arrays RGB [H, W, 3] uint8.
            count: How many there are, if that is known: a few share smaller batches.
            on_fault: Called with each file that cannot be read, and why; raises by default. If it
                returns, there is no result for that file.

        Yields:
            A result for each image, in their order.

        Raises:
            DataError: If a file is missing or is not an image, unless `on_fault` accepts that.
            ValueError: If an array is not an RGB image.
        """
        done: dict[int, Result | None] = {}
        parts: dict[int, Any] = {}
        seen: Counter[int] = Counter()
        following = 0

        def fault(number: int, image: Image, error: DataError) -> None:
            on_fault(image, error)
            done[number] = None

        rows = batch_rows(count, self.batch_size)
        batches = image_batches(inputs, self._views, rows, fault, self.row, self.read)
        for part, row in self.predict_batches(batches):
            if part.number not in parts:
                parts[part.number] = self._collected()
            parts[part.number].append((part, row))
            seen[part.number] += 1
            if seen[part.number] == part.views:
                del seen[part.number]
                done[part.number] = self._result(part, parts.pop(part.number))
            while following in done:
                result = done.pop(following)
                following += 1
                if result is not None:
                    yield result
        # Those after the last one that could be read.
        yield from (done[number] for number in sorted(done) if done[number] is not None)

    def __call__(self, inputs: Image | Iterable[Image]) -> Any:
        """Predicts images.

        Args:
            inputs: A file, RGB [H, W, 3] uint8, several of them, or a folder of files.

        Returns:
            A result for one image, a list of them for several, in order.

        Raises:
            DataError: If a file is missing or is not an image.
            ValueError: If an array is not an RGB image, or a folder holds no image.
        """
        images, single = listed(inputs)
        results = list(self.stream(images, count=len(images)))
        return results[0] if single else results

    def program(self) -> Program:
        """Returns all that predicting a batch of images computes."""
        shown = self._shown()

        def apply(variables: Any, images: jax.Array) -> Any:
            state = dict(variables)
            params = state.pop("params")
            batch = {
                name: jnp.broadcast_to(array[None], (images.shape[0], *array.shape))
                for name, array in self.row(shown).items()
            }
            # The predictions for images are not random.
            batch["image"] = images
            return self.task.predict(params, state, batch, key=jax.random.key(0))

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(0)
            return (rng.integers(0, 256, (batch, *shown.shape), np.uint8),)

        return Program(
            apply, inputs, f"{_NOUNS[shown.ndim]} {' x '.join(map(str, shown.shape[:-1]))}"
        )

    def served(self, *, nms: bool = False) -> Program:
        """Returns what a file for other runtimes computes for a batch of images, in float32."""
        task = self._task_in_float32()
        program = self.program()
        # The predictions for images are not random. A key that is made here is no operation there.
        key = jax.random.key(0)

        def apply(variables: Any, images: jax.Array) -> dict[str, jax.Array]:
            state = dict(variables)
            return self._outputs(task, (state.pop("params"), state, {"image": images}), key, nms)

        return program._replace(apply=apply)

    @abc.abstractmethod
    def _outputs(
        self, task: Any, given: tuple[Params, ModelState, Batch], key: jax.Array, nms: bool
    ) -> dict[str, jax.Array]:
        """Computes what an exported file does, by name.

        Args:
            task: With a network in float32.
            given: Parameters, other collections, and the batch.
            key: As `predict` of a task takes it.
            nms: Whether a detector's suppression belongs to it.
        """

    def _copied(self, batch_size: int | None) -> Self:
        """Returns a predictor of the same variables, whose options may be changed."""
        copied = copy.copy(self)
        if batch_size is not None:
            copied.batch_size = _positive(batch_size)
        return copied

    def read(self, image: Image) -> np.ndarray:
        """Returns the pixels of an image; see `images.pixels`."""
        return reading.pixels(image)

    def _shown(self) -> np.ndarray:
        """Returns an input of the network, of a black image."""
        return Views(self.transform)(np.zeros((64, 64, 3), np.uint8))[0][1]

    def row(self, shown: np.ndarray) -> Row:
        """Makes the arrays of a batch's row of an input [h, w, 3] uint8."""
        return {"image": shown}

    def _collected(self) -> Any:
        """Returns what the views of an image, with the predictions for them, are appended to."""
        return []

    @abc.abstractmethod
    def _result(self, part: Part, parts: Any) -> Result:
        """Makes the result for an image.

        Args:
            part: One of its views.
            parts: What `_collected` gave, with the predictions for all of them.
        """


def _positive(batch_size: int) -> int:
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    return batch_size
