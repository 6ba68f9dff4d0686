"""torchvision's masks, mask targets, losses and gradients, through the importer of its weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import (
    FORWARD,
    TRAINING,
    assert_agrees,
    classes_of,
    count,
    gradients_that_agree,
    images_of,
    state_of,
)

from jaxvision import pretrained
from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod, Regions
from jaxvision.losses.detection.mask_rcnn import MaskRCNNMethod
from jaxvision.losses.detection.rpn import RPNMethod
from jaxvision.ops.objects import Objects
from jaxvision.ops.region_masks import paste_masks
from jaxvision.pretrained import faster_rcnn as names
from jaxvision.tasks.mask_detection import MaskDetection

CASE, NAME = "maskrcnn_resnet50_fpn", "mask_rcnn_resnet50_fpn"
ALL = 100_000  # every anchor and proposal is in the loss


@pytest.fixture(scope="module")
def case():
    return fill.load_case(CASE)


@pytest.fixture(scope="module")
def loaded(case):
    # The case feeds the network what it sees after normalisation.
    return pretrained.load(NAME, state_of(case), image_mean=(0.0,) * 3, image_std=(1.0,) * 3)


@pytest.fixture(scope="module")
def task(case, loaded):
    most = int(case["pre_nms_top_n"])
    return MaskDetection(
        loaded[0],
        MaskRCNNMethod(
            RPNMethod(samples=ALL, pre_nms=(most, most), post_nms=(1000, 1000)),
            FastRCNNMethod(samples=ALL),
        ),
        tuple(map(str, range(90))),
        score_threshold=float(case["score_thresh"]),
        nms_threshold=0.5,
        max_detections=20,
    )


@pytest.fixture(scope="module")
def batch(case):
    classes, valid = classes_of(case)
    images = images_of(case)
    masks = np.unpackbits(case["gt_masks_packed"], axis=-1)[..., : images.shape[2]].astype(bool)
    return dict(image=images, boxes=case["gt_boxes"], classes=classes, valid=valid, masks=masks)


def test_number_of_trained_parameters_matches_reference(case, loaded):
    assert count(loaded[1]["params"]) == case["num_params"]


@pytest.mark.slow
def test_masks_of_detections_match_reference(case, loaded, task, batch):
    model, variables = loaded
    state = dict(variables)
    params = state.pop("params")
    found = jax.jit(task.predict)(params, state, {"image": batch["image"]}, key=jax.random.key(0))
    np.testing.assert_array_equal(found.valid.sum(1), case["det_count"])
    np.testing.assert_array_equal(found.classes + 1, case["det_labels"])
    assert_agrees(found.boxes, case["det_boxes"], FORWARD)

    def draw(variables, images, boxes):
        levels = model.apply(variables, images, train=False, method="extract")
        return model.apply(variables, levels, boxes, method="draw")

    logits = np.asarray(jax.jit(draw)(variables, batch["image"], jnp.asarray(case["det_boxes"])))
    labels = case["det_labels"].reshape(-1)
    own = logits.reshape(-1, *logits.shape[2:])[np.arange(len(labels)), :, :, labels]
    assert_agrees(own, case["mask_logits"], FORWARD)
    assert_agrees(found.masks.reshape(own.shape), 1 / (1 + np.exp(-case["mask_logits"])), FORWARD)


def test_pasted_masks_match_reference(case, batch):
    probabilities = 1 / (1 + np.exp(-case["mask_logits"]))
    pasted = paste_masks(probabilities, case["det_boxes"].reshape(-1, 4), batch["image"].shape[1:3])
    assert_agrees(pasted[:2], case["pasted_first"], FORWARD)
    assert_agrees(pasted.mean((1, 2)), case["pasted_mean"], FORWARD)
    theirs = np.unpackbits(case["pasted_packed"], axis=-1)[..., : batch["image"].shape[2]]
    np.testing.assert_array_equal(pasted > 0.5, theirs.astype(bool))


def test_mask_targets_match_reference(case, task, batch):
    rows = case["train_proposals"].shape[1]
    valid = np.arange(rows)[None] < case["train_proposal_count"][:, None]
    labels, matched = (case[f"roi_{name}"].astype(np.int32) for name in ("labels", "matched"))
    regions = Regions(
        case["train_proposals"], labels, matched, case["roi_targets"], jnp.asarray(valid)
    )
    objects = Objects(batch["boxes"], batch["classes"], batch["valid"], batch["masks"])

    @jax.jit
    def targets(regions):
        drawn = task.method.drawn(regions)
        return drawn.valid, task.method.targets(drawn, objects, side=28)

    kept, found = targets(jax.tree.map(jnp.asarray, regions))
    np.testing.assert_array_equal(kept.sum(1), case["mask_targets_count"])
    found = np.concatenate([np.asarray(found)[i, : int(n)] for i, n in enumerate(kept.sum(1))])
    assert_agrees(found[:6], case["mask_targets"], TRAINING)


@pytest.mark.slow
def test_losses_and_gradients_match_reference(case, loaded, task, batch):
    state = dict(loaded[1])
    params = state.pop("params")

    def objective(params):
        loss = task.loss(params, state, batch, step=jnp.int32(0), key=jax.random.key(0))
        return loss.value, loss

    grads, loss = jax.jit(jax.grad(objective, has_aux=True))(params)
    for ours, theirs in (
        ("classification", "loss_classifier"),
        ("box", "loss_box_reg"),
        ("mask", "loss_mask"),
        ("proposal_objectness", "loss_objectness"),
        ("proposal_box", "loss_rpn_box_reg"),
    ):
        assert_agrees(loss.logs[ours], case[theirs], TRAINING)
    assert gradients_that_agree(case, NAME, grads, state) == 4


def test_export_writes_what_was_read(case, loaded):
    state = state_of(case)
    exported = pretrained.export(NAME, loaded[1])
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value)
    older = pretrained.export(NAME, loaded[1], source=names.RELEASED.label)
    assert "roi_heads.mask_head.mask_fcn1.weight" in older
