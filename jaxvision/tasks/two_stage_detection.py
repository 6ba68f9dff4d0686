"""Object detection in two stages: regions that may hold an object, then their classes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.rpn import Proposals, RPNMethod
from jaxvision.ops.nms import Candidates
from jaxvision.ops.objects import Objects
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.tasks.task import Batch, Loss, ModelState, Params


@dataclasses.dataclass(frozen=True)
class TwoStageDetection(DenseDetection):
    """Trains a detector of regions, all but loss and decoding as `DenseDetection`.

    Attributes:
        model: `FasterRCNN`, or `FastRCNN` without a proposal network.
        method: Sampling, loss and decoding of the second stage.
        rpn: The method of the proposal network; None where batches hold `proposals` [B, P, 4] and
            `proposal_valid` [B, P].
    """

    method: FastRCNNMethod  # pyright: ignore[reportIncompatibleVariableOverride]
    rpn: RPNMethod | None = None

    def loss(
        self, params: Params, state: ModelState, batch: Batch, *, step: jax.Array, key: jax.Array
    ) -> Loss:
        """Computes the sum of the losses of both stages; their terms are logged by name."""
        del step
        rpn_key, sample_key, dropout_key = jax.random.split(key, 3)
        variables = {"params": params, **state}
        levels, state = self.model.apply(
            variables, batch["image"], train=True, mutable=list(state), method="extract"
        )
        objects = Objects(batch["boxes"], batch["classes"], batch["valid"])
        terms: dict[str, jax.Array] = {}
        if self.rpn is None:
            proposals = _given(batch)
        else:
            output = self.model.apply(variables, levels, method="propose")
            anchors = self.rpn.priors(*batch["image"].shape[1:3])
            terms |= self.rpn.loss(output, anchors, objects, key=rpn_key).terms
            proposals = self.rpn.proposals(output, anchors, train=True)
        regions = self.method.sample(proposals, objects, key=sample_key)
        output = self.model.apply(
            variables,
            levels,
            regions.boxes,
            train=True,
            rngs={"dropout": dropout_key},
            method="classify",
        )
        loss = self.method.loss(output, regions)
        terms |= loss.terms
        value = sum(terms.values(), start=jnp.zeros(()))
        return Loss(value, state, {**terms, **loss.logs})

    def _decoded(self, params: Params, state: ModelState, batch: Batch) -> Candidates:
        variables = {"params": params, **state}
        height, width = batch["image"].shape[1:3]
        levels = self.model.apply(variables, batch["image"], train=False, method="extract")
        if self.rpn is None:
            proposals = _given(batch)
        else:
            output = self.model.apply(variables, levels, method="propose")
            anchors = self.rpn.priors(height, width)
            proposals = self.rpn.proposals(output, anchors, train=False)
        output = self.model.apply(
            variables, levels, proposals.boxes, train=False, method="classify"
        )
        return self._wanted(self.method.decode(output, proposals, height, width))


def _given(batch: Any) -> Proposals:
    valid = batch["proposal_valid"]
    return Proposals(batch["proposals"], valid.astype(jnp.float32), valid)
