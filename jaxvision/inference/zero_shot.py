"""Networks of single pictures, and the training of one for another picture."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.errors import DataError
from jaxvision.data.windows import Windows
from jaxvision.inference import images as reading
from jaxvision.inference.images import Image, OnFault, pixels
from jaxvision.inference.predictor import Origin
from jaxvision.inference.program import Program
from jaxvision.inference.upscaler import Upscaler
from jaxvision.tasks.zero_shot import ZeroShot
from jaxvision.train.loop import run


class ZeroShotUpscaler(Upscaler):
    """Enlarges pictures by ZSSR: a network is trained for each of them, for as long as the run's.

        upscaler = jaxvision.load("runs/zssr")
        large = upscaler.upscale("image.png")
        upscaler.evaluate()  # the networks of the run's own pictures

    What the run knows of its pictures helps no other one.
    """

    options = ("tile", "batch_size")

    def __init__(
        self,
        task: ZeroShot,
        variables: Mapping[str, Any],
        transform: Windows,
        *,
        origin: Origin | None = None,
    ) -> None:
        """Puts the variables on the devices; see `Upscaler`."""
        super().__init__(task, variables, transform, origin=origin)
        self._zero_shot = task

    def replaced(
        self, *, tile: int | None = None, batch_size: int | None = None, **others: Any
    ) -> Self:
        """Returns an upscaler with other options; see `Upscaler.replaced`.

        Raises:
            ValueError: For `tta` and `back_projection`, which the run's config decides.
        """
        if any(x is not None for x in others.values()):
            raise ValueError(
                f"{', '.join(others)} is decided by eval.ensemble and eval.back_projection of the "
                "run's config"
            )
        return super().replaced(tile=tile, batch_size=batch_size)

    def stream(
        self,
        inputs: Iterable[Image],
        *,
        count: int | None = None,
        on_fault: OnFault = reading.stop,
    ) -> Iterator[Any]:
        """Trains a network for each picture and enlarges it; see `ImagePredictor.stream`."""
        del count
        for image in inputs:
            try:
                picture = pixels(image)
            except DataError as fault:
                on_fault(image, fault)
                continue
            fitted = self.fitted(picture)
            yield from fitted.stream([image], count=1)

    def fitted(self, picture: np.ndarray) -> Upscaler:
        """Trains a network for a picture.

        Args:
            picture: RGB [H, W, 3] uint8.

        Raises:
            ValueError: If the predictor does not come from a run.
        """
        if self.origin is None:
            raise ValueError("only a predictor of a run knows how to train, got one of variables")
        recipe: Any = self.origin.recipe
        result = run(recipe.for_pictures(self.origin.config, [picture]))
        params, _ = result.state.evaluated
        own = jax.tree.map(lambda x: np.asarray(x[0]), jax.device_get(params))
        upscaler = Upscaler(self._zero_shot.alone(), {"params": own}, self.windows)
        return upscaler.replaced(batch_size=self.batch_size)

    def program(self) -> Program:
        """Returns what enlarging with the network of the first picture computes."""
        program = super().program()
        task = self._zero_shot.alone()

        def apply(variables: Any, images: jax.Array) -> Any:
            params = jax.tree.map(lambda x: x[0], variables["params"])
            batch = {"image": images, "index": jnp.zeros(1, jnp.int32)}
            return task.predict(params, {}, batch, key=jax.random.key(0)).image

        return program._replace(apply=apply)

    def served(self, *, nms: bool = False) -> Program:
        """Raises an error: a network is of one picture."""
        raise ValueError(
            "a network of ZSSR knows the one picture that it was trained on, there is nothing to "
            "export for others"
        )
