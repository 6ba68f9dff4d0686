"""torchvision's outputs, targets, losses and gradients, through the importer of its weights."""

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

from jaxvision import models, pretrained
from jaxvision.losses.detection.fast_rcnn import FastRCNNMethod
from jaxvision.losses.detection.faster_rcnn import FasterRCNNMethod
from jaxvision.losses.detection.rpn import Proposals, RPNMethod
from jaxvision.ops.objects import Objects
from jaxvision.ops.roi_align import level_of, multiscale_roi_align
from jaxvision.pretrained import faster_rcnn as names
from jaxvision.tasks.two_stage_detection import TwoStageDetection

CASE, NAME = "fasterrcnn_resnet50_fpn", "faster_rcnn_resnet50_fpn"
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
    return TwoStageDetection(
        loaded[0],
        FasterRCNNMethod(
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
    return dict(image=images_of(case), boxes=case["gt_boxes"], classes=classes, valid=valid)


def objects(batch):
    return Objects(batch["boxes"], batch["classes"], batch["valid"])


def test_number_of_trained_parameters_matches_reference(case, loaded):
    assert count(loaded[1]["params"]) == case["num_params"]


def test_both_stages_match_reference(case, loaded, task, batch):
    model, variables = loaded
    boxes, counts = jnp.asarray(case["proposals"]), case["proposal_count"]

    @jax.jit
    def run(variables, images):
        levels = model.apply(variables, images, train=False, method="extract")
        output = model.apply(variables, levels, method="propose")
        proposals = task.method.rpn.proposals(output, anchors, train=False)
        pooled = multiscale_roi_align(levels, boxes, size=(7, 7))
        regions = model.apply(variables, levels, boxes, train=False, method="classify")
        params = variables["params"]
        state = {"batch_stats": variables["batch_stats"]}
        found = task.predict(params, state, {"image": images}, key=jax.random.key(0))
        return levels, output, proposals, pooled, regions, found

    anchors = task.method.rpn.priors(*batch["image"].shape[1:3])
    np.testing.assert_array_equal(anchors.boxes, case["anchors"])
    levels, output, proposals, pooled, regions, found = run(variables, batch["image"])
    for i, stride in enumerate((4, 8, 16, 32)):
        assert_agrees(levels[stride].mean((1, 2)), case[f"fpn_{i}_mean"], FORWARD)
    assert_agrees(output.objectness, case["rpn_logits"], FORWARD)
    assert_agrees(output.box_regression, case["rpn_deltas"], FORWARD)
    np.testing.assert_array_equal(proposals.valid.sum(1), counts)
    most = boxes.shape[1]
    assert_agrees(proposals.scores[:, :most], case["proposal_scores"], FORWARD)
    ours = np.where(proposals.valid[:, :most, None], proposals.boxes[:, :most], 0)
    assert_agrees(ours, case["proposals"], FORWARD)

    def joined(x):
        return np.concatenate([np.asarray(x)[i, :n] for i, n in enumerate(counts)])

    level = level_of(boxes, [4, 8, 16, 32])
    np.testing.assert_array_equal(joined(level), case["roi_level"])
    assert_agrees(joined(pooled.mean((2, 3))), case["roi_features_mean"], FORWARD)
    part = joined(pooled)[::4, :, :, ::32].transpose(0, 3, 1, 2)
    assert_agrees(part, case["roi_features_sub"], FORWARD)
    assert_agrees(joined(regions.class_logits), case["box_logits"], FORWARD)
    deltas = joined(regions.box_regression)[:, 1::9]
    assert_agrees(deltas, case["box_deltas_labels"], FORWARD)

    np.testing.assert_array_equal(found.valid.sum(1), case["det_count"])
    np.testing.assert_array_equal(found.classes + 1, case["det_labels"])
    assert_agrees(found.boxes, case["det_boxes"], FORWARD)
    assert_agrees(found.scores, case["det_scores"], FORWARD)


def test_targets_match_reference(case, task, batch):
    anchors = task.method.rpn.priors(*batch["image"].shape[1:3])
    assignment = jax.jit(lambda x: task.method.rpn.assign(anchors, x))(objects(batch))
    coded = np.where(assignment.ignored, -2, assignment.matched)
    np.testing.assert_array_equal(coded, case["rpn_matched"])

    most = case["train_proposals"].shape[1]
    valid = np.arange(most)[None] < case["train_proposal_count"][:, None]
    given = Proposals(case["train_proposals"], valid.astype(np.float32), valid)
    # The objects are among these already.
    rows = slice(0, most)
    regions = jax.jit(lambda x, y: task.method.regions.sample(x, y, key=jax.random.key(0)))(
        given, objects(batch)
    )
    for i, number in enumerate(case["train_proposal_count"]):
        rows = slice(0, number)
        np.testing.assert_array_equal(regions.boxes[i, rows], case["train_proposals"][i, rows])
        np.testing.assert_array_equal(regions.labels[i, rows], case["roi_labels"][i, rows])
        positive = case["roi_labels"][i, rows] > 0
        matched = np.where(positive, regions.matched[i, rows], 0)
        np.testing.assert_array_equal(matched, np.where(positive, case["roi_matched"][i, rows], 0))
        assert_agrees(regions.targets[i, rows], case["roi_targets"][i, rows], TRAINING)


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
        ("proposal_objectness", "loss_objectness"),
        ("proposal_box", "loss_rpn_box_reg"),
    ):
        assert_agrees(loss.logs[ours], case[theirs], TRAINING)
    assert gradients_that_agree(case, NAME, grads, state) == 5


def test_export_writes_what_was_read(case, loaded):
    state = state_of(case)
    exported = pretrained.export(NAME, loaded[1])
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value)


def test_the_released_file_has_older_names(loaded):
    older = pretrained.export(NAME, loaded[1], source=names.RELEASED.label)
    assert "backbone.fpn.layer_blocks.2.bias" in older
    assert "rpn.head.conv.weight" in older
    _, variables = pretrained.load(NAME, older)
    jax.tree.map(np.testing.assert_array_equal, variables, loaded[1])


# The authors' with VGG16 and 20 classes; Fast R-CNN's without the proposal network.
@pytest.mark.parametrize(
    ("build", "variant", "num_classes", "expected"),
    [
        (models.faster_rcnn, "faster_rcnn_vgg16", 20, 137_078_239),
        (models.fast_rcnn, "fast_rcnn_vgg16", 20, 134_690_729),
        (models.faster_rcnn, "faster_rcnn_resnet50_fpn", 90, 41_808_406),
    ],
)
def test_number_of_parameters_matches_the_papers(build, variant, num_classes, expected):
    model = build(variant, num_classes=num_classes)
    images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    assert count(shapes["params"]) == expected
