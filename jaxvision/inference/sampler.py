"""A trained generative model, which makes images."""

import copy
import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.files import write_whole
from jaxvision.data.image import encode_image
from jaxvision.inference.predictor import Origin, Predictor
from jaxvision.inference.program import Program
from jaxvision.inference.reports.generation import report_generation
from jaxvision.inference.reports.layout import EvaluationReport
from jaxvision.inference.result import Result
from jaxvision.plots.samples import sample_grid
from jaxvision.recipes import generation
from jaxvision.tasks.diffusion import ImageDiffusion
from jaxvision.tasks.generation import row_keys
from jaxvision.train.evaluate import Evaluation


@dataclasses.dataclass(frozen=True, eq=False)
class Samples(Result):
    """Images that a model made.

    Attributes:
        images: [N, H, W, 1 or 3] uint8.
        class_names: What was asked for, a name for each; () for a model without classes.
        seed: What they were drawn with.
    """

    images: np.ndarray
    class_names: tuple[str, ...]
    seed: int

    columns = ("number", "class")

    def __len__(self) -> int:
        return len(self.images)

    def plot(self, columns: int = 0) -> np.ndarray:
        """Puts the images in a grid.

        Args:
            columns: Images in a row; 0 for about as many as there are rows.

        Returns:
            RGB [H', W', 3] uint8.
        """
        return sample_grid(self.images, columns)

    def save_images(self, folder: str | os.PathLike[str]) -> list[pathlib.Path]:
        """Writes each image as a PNG; missing folders are made.

        Returns:
            The files, `00000.png`, or `00000_<class>.png`, and so on.

        Raises:
            OSError: If one cannot be written.
        """
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for row, image in zip(self.rows(), self.images, strict=True):
            name = "_".join(filter(None, (f"{row['number']:05d}", row["class"])))
            files.append(folder / f"{name}.png")
            rgb = np.broadcast_to(image, (*image.shape[:2], 3))
            write_whole(files[-1], encode_image(rgb, ".png"))
        return files

    def to_dict(self) -> dict[str, Any]:
        """Returns the seed and the classes as values that JSON can hold."""
        return {"seed": self.seed, "images": self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        """Returns the number and the class of each image."""
        names = self.class_names or ("",) * len(self.images)
        return [{"number": i, "class": name} for i, name in enumerate(names)]

    def summary(self) -> str:
        """Says how many images there are and of which size."""
        height, width = self.images.shape[1:3]
        return f"{len(self.images)} images of {height} x {width} pixels"


class Sampler(Predictor):
    """Makes images.

        sampler = jaxvision.load("runs/ddpm")
        sampler.sample(64, seed=0).save("grid.png")
        sampler.sample(10, classes="7").images
        sampler.replaced(guidance=3.0, sample_steps=20).sample(16)

    Image i of a seed and a class is the same however many there are.

    Attributes:
        class_names: What may be asked for; () for a model without classes.
        batch_size: Images made at a time, at most.
    """

    reads = "noise"
    options = ("guidance", "sampler", "sample_steps", "eta", "batch_size")
    formats = ("json", "csv")

    def __init__(
        self,
        task: Any,
        variables: Mapping[str, Any],
        *,
        batch_size: int = 64,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices.

        Args:
            task: Holds the network, and says how it makes images.
            variables: {"params", **other collections} of the network.
            batch_size: Images made at a time, at most.
            origin: The run that the variables come from.

        Raises:
            ValueError: If `batch_size` is not positive.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        super().__init__(task, variables, origin=origin)
        self.class_names: tuple[str, ...] = task.class_names
        self.batch_size = batch_size
        self._sample = jax.jit(functools.partial(_sampled, task))

    def sample(
        self, n: int, *, seed: int = 0, classes: str | int | Sequence[str | int] | None = None
    ) -> Samples:
        """Makes images.

        Args:
            n: How many.
            seed: Another seed gives other images.
            classes: Of a model with classes: the name or the number of one, or of several, which
                take turns; by default all of them.

        Raises:
            ValueError: If `n` is not positive, or there is no such class.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        if not 0 <= seed < 2**32:
            raise ValueError(f"seed must be in [0, 2^32), got {seed}")
        asked = self._classes(classes)
        labels = np.resize(np.asarray(asked or [0], np.int32), n)
        rows, found = min(n, self.batch_size), []
        for start in range(0, n, rows):
            # The last batch is filled up, so that there is one program.
            index = np.arange(start, start + rows, dtype=np.int32)
            given = labels[np.minimum(index, n - 1)]
            images = self._sample(self.params, self.model_state, given, index, np.uint32(seed))
            found.append(np.asarray(images))
        names = tuple(self.class_names[k] for k in labels) if asked else ()
        return Samples(np.concatenate(found)[:n], names, seed)

    def real_images(self, split: str, count: int, *, path: str | None = None) -> np.ndarray:
        """Reads the first images of a split of the run's data, as the model was trained on them.

        Args:
            split: `val`, `test` or `train`.
            count: How many, at most.
            path: Folder of the dataset, in place of the run's.

        Returns:
            [N, H, W, 3] uint8.

        Raises:
            DataError: If the data is no longer there or has a fault.
            ValueError: If there is no such split, or the model does not come from a run.
        """
        if self.origin is None:
            raise ValueError("only a model that comes from a run has data; use jaxvision.load")
        config = copy.deepcopy(self.origin.config)
        config.eval.images = count
        if path is not None:
            config.data.path = path
        data = generation.eval_data(config, self.origin.info, split)
        return np.concatenate([batch["image"][batch["mask"]] for batch in data])

    def __call__(self, inputs: int) -> Samples:
        """Makes so many images with seed 0."""
        return self.sample(inputs)

    def replaced(
        self,
        *,
        guidance: float | None = None,
        sampler: str | None = None,
        sample_steps: int | None = None,
        eta: float | None = None,
        batch_size: int | None = None,
    ) -> Self:
        """Returns a sampler of the same variables with other options; None keeps an option.

        Args:
            guidance: Of a diffusion model with classes: 1 for none, above for samples that are more
                typical of their class.
            sampler: `ddim` or `ancestral`, of a diffusion model.
            sample_steps: Calls of the network that `ddim` makes.
            eta: Fresh noise of `ddim`, 0 to 1.
            batch_size: Images made at a time.

        Raises:
            ValueError: If a value is out of its range, or the model is no diffusion model.
        """
        options = dict(guidance=guidance, sampler=sampler, sample_steps=sample_steps, eta=eta)
        given = {name: value for name, value in options.items() if value is not None}
        task: Any = self.task
        if given and not isinstance(task, ImageDiffusion):
            raise ValueError(
                f"{', '.join(given)} are for diffusion models, which call a network several times"
            )
        return type(self)(
            dataclasses.replace(task, **given),
            self.variables,
            batch_size=self.batch_size if batch_size is None else batch_size,
            origin=self.origin,
        )

    def program(self) -> Program:
        """Returns all that making a batch of images computes."""
        task: Any = self.task

        def apply(variables: Any, labels: jax.Array, index: jax.Array) -> jax.Array:
            state = dict(variables)
            return _sampled(task, state.pop("params"), state, labels, index, jnp.uint32(0))

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            index = np.arange(batch, dtype=np.int32)
            return index % max(len(self.class_names), 1), index

        height, width = task.image_size
        return Program(apply, inputs, f"noise for an image of {height} x {width}")

    def served(self, *, nms: bool = False) -> Program:
        """Returns what a file for other runtimes computes: a generator's pictures of noise.

        Its input is `noise` [B, latent] float32, of variance 1; its output `images` [B, H, W, C]
        float32 in [0, 255].

        Raises:
            ValueError: For a diffusion model.
        """
        if nms:
            raise ValueError("nms is for detectors, got a generative model")
        task: Any = self._task_in_float32()
        if isinstance(task, ImageDiffusion):
            raise ValueError(
                "a diffusion model draws random numbers as it goes, which files for other runtimes "
                "do not; export it as safetensors"
            )

        def apply(variables: Any, noise: jax.Array) -> dict[str, jax.Array]:
            state = dict(variables)
            made = task.made_of(state.pop("params"), state, noise)
            return {"images": (made.astype(jnp.float32) + 1) * 127.5}

        def inputs(batch: int) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(0)
            return (rng.standard_normal((batch, task.model.latent), np.float32),)

        return Program(apply, inputs, f"noise of {task.model.latent} numbers")

    def report(self, evaluation: Evaluation, data: Any) -> EvaluationReport:
        """Lays out an evaluation: metrics, and images that the model makes."""
        del data
        return report_generation(evaluation, self.sample(self.batch_size).images)

    def _classes(self, classes: str | int | Sequence[str | int] | None) -> list[int]:
        names = self.class_names
        if classes is None:
            return list(range(len(names)))
        if not names:
            raise ValueError(f"the model was trained without classes, got classes={classes!r}")
        given = [classes] if isinstance(classes, (str, int)) else list(classes)
        found = []
        for one in given:
            known = one in names if isinstance(one, str) else 0 <= one < len(names)
            if not known:
                raise ValueError(f"classes must be of {', '.join(names)}, got {one!r}")
            found.append(names.index(one) if isinstance(one, str) else one)
        if not found:
            raise ValueError("classes must name at least one, got none")
        return found


def _sampled(
    task: Any, params: Any, state: Any, labels: jax.Array, index: jax.Array, seed: jax.Array
) -> jax.Array:
    return task.sample(params, state, labels, row_keys(jax.random.key(seed), index))
