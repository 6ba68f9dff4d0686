"""R-CNN's last stage: machines fitted to the features of the training images."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.data.stream import Stream
from jaxvision.losses.detection.rcnn import Described
from jaxvision.ops.boxes import pairwise_iou
from jaxvision.tasks.task import ModelState, Params
from jaxvision.tasks.two_stage_detection import TwoStageDetection

Finish = Callable[[Params, ModelState], tuple[Params, ModelState]]


def fit_machines(task: TwoStageDetection, stream: Stream, *, seed: int) -> Finish:
    """Returns what fills the collection `fitted` of a trained `RCNN` or `SPPNet`.

    Args:
        task: Its method is an `RCNNMethod`.
        stream: The training images as evaluation sees them, each once.
        seed: Of the fit.
    """
    method: Any = task.method.regions
    classes = len(task.class_names)

    @jax.jit
    def describe(variables: Any, batch: Any) -> tuple[jax.Array, ...]:
        levels = task.model.apply(variables, batch["image"], train=False, method="extract")
        boxes = jnp.concatenate([batch["proposals"], batch["boxes"]], axis=1)
        features = task.model.apply(variables, levels, boxes, method="features")
        return features, boxes, jax.vmap(pairwise_iou)(boxes, batch["boxes"])

    def images(variables: Any) -> Iterator[Described]:
        for batch in stream:
            found = describe(variables, {name: batch[name] for name in _USED})
            features, boxes, overlaps = map(np.asarray, found)
            usable = np.concatenate([batch["proposal_valid"], batch["valid"]], axis=1)
            counted = batch["valid"] & ~batch["crowd"]
            for i in np.flatnonzero(batch["mask"]):
                rows, objects = usable[i], counted[i]
                of_class = batch["classes"][i][None] == np.arange(classes)[:, None]
                by_class = np.where(
                    (of_class & objects[None])[:, None], overlaps[i][rows][None], 0.0
                )
                nearest = batch["boxes"][i][by_class.argmax(axis=2)]
                yield Described(
                    features[i][rows],
                    boxes[i][rows],
                    by_class.max(axis=2).T,
                    nearest.transpose(1, 0, 2),
                )

    def finish(params: Params, state: ModelState) -> tuple[Params, ModelState]:
        variables = {"params": params, **state}
        print(f"fitting a support vector machine and a box regression to each of {classes} classes")

        def described() -> Iterable[Described]:
            return images(variables)

        machines = method.fit(described, seed=seed)
        head = {**machines._asdict(), "ready": np.ones((), np.float32)}
        return params, {**state, "fitted": {"head": head}}

    return finish


_USED = ("image", "boxes", "proposals")
