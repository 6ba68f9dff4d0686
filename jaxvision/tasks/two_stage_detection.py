"""Object detection in two stages: regions that may hold an object, then their classes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.losses.detection.fast_rcnn import Regions
from jaxvision.losses.detection.faster_rcnn import FasterRCNNMethod
from jaxvision.losses.detection.rpn import Proposals
from jaxvision.models.detection.fast_rcnn import Levels
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class TwoStageDetection(DenseDetection):
    """Trains a detector of regions, all but loss and decoding as `DenseDetection`.

    Attributes:
        model: `FasterRCNN`, or `FastRCNN` without a proposal network.
        method: The methods of both stages. Without that of the first, batches hold `proposals`
            [B, P, 4] and `proposal_valid` [B, P].
    """

    method: FasterRCNNMethod  # pyright: ignore[reportIncompatibleVariableOverride]

    def loss(
        self, params: Params, state: ModelState, batch: Batch, *, step: jax.Array, key: jax.Array
    ) -> Loss:
        """Computes the sum of the losses of both stages; their terms are logged by name."""
        del step
        return self._stages(params, state, batch, key)[0]

    def _stages(
        self, params: Params, state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Loss, Levels, Regions]:
        """Computes the loss; returns it with the features and the regions that were trained."""
        rpn = self.method.rpn
        rpn_key, sample_key, dropout_key = jax.random.split(key, 3)
        variables = {"params": params, **state}
        levels, state = self.model.apply(
            variables, batch["image"], train=True, mutable=list(state), method="extract"
        )
        objects = Objects(batch["boxes"], batch["classes"], batch["valid"])
        terms: dict[str, jax.Array] = {}
        if rpn is None:
            proposals = _given(batch)
        else:
            output = self.model.apply(variables, levels, method="propose")
            anchors = rpn.priors(*batch["image"].shape[1:3])
            terms |= rpn.loss(output, anchors, objects, key=rpn_key).terms
            proposals = rpn.proposals(output, anchors, train=True)
        regions = self.method.regions.sample(proposals, objects, key=sample_key)
        output, state = self.model.apply(
            {"params": params, **state},
            levels,
            regions.boxes,
            train=True,
            mutable=list(state),
            rngs={"dropout": dropout_key},
            method="classify",
        )
        loss = self.method.regions.loss(output, regions)
        terms |= loss.terms
        value = sum(terms.values(), start=jnp.zeros(()))
        return Loss(value, state, {**terms, **loss.logs}), levels, regions

    def decoded(self, params: Params, state: ModelState, batch: Batch) -> Candidates:
        """Decodes a batch: the boxes of each image's regions [B, A, 4]."""
        rpn, variables = self.method.rpn, {"params": params, **state}
        height, width = batch["image"].shape[1:3]
        levels = self.model.apply(variables, batch["image"], train=False, method="extract")
        if rpn is None:
            proposals = _given(batch)
        else:
            output = self.model.apply(variables, levels, method="propose")
            anchors = rpn.priors(height, width)
            proposals = rpn.proposals(output, anchors, train=False)
        output = self.model.apply(
            variables, levels, proposals.boxes, train=False, method="classify"
        )
        return self.among_wanted(self.method.regions.decode(output, proposals, height, width))


def _given(batch: Any) -> Proposals:
    valid = batch["proposal_valid"]
    return Proposals(batch["proposals"], valid.astype(jnp.float32), valid)
