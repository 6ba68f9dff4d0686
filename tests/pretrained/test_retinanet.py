"""torchvision's outputs, targets, losses and gradients, through the importer of its weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import FORWARD, TRAINING, assert_agrees, gradients_that_agree, images_of, state_of

from jaxvision import pretrained
from jaxvision.losses.detection.retinanet import RetinaNetMethod
from jaxvision.ops.objects import Objects
from jaxvision.pretrained import retinanet as names
from jaxvision.tasks.dense_detection import DenseDetection

NAME = "retinanet_resnet50_fpn"


@pytest.fixture(scope="module")
def case():
    return fill.load_case(NAME)


@pytest.fixture(scope="module")
def loaded(case):
    # The case feeds the network what it sees after normalisation.
    fields = dict(image_mean=(0.0,) * 3, image_std=(1.0,) * 3)
    return pretrained.load(NAME, state_of(case), **fields)


@pytest.fixture(scope="module")
def task(case, loaded):
    classes = tuple(str(number) for number in range(91))
    return DenseDetection(
        loaded[0],
        RetinaNetMethod(),
        classes,
        score_threshold=float(case["score_thresh"]),
        nms_threshold=0.5,
    )


@pytest.fixture(scope="module")
def images(case):
    return images_of(case)


@pytest.fixture(scope="module")
def objects(case):
    count = case["gt_boxes"].shape[1]
    valid = np.arange(count)[None] < case["gt_count"][:, None]
    return Objects(case["gt_boxes"], case["gt_labels"].astype(np.int32), valid)


def split(variables):
    state = dict(variables)
    return state.pop("params"), state


def test_number_of_trained_parameters_matches_reference(case, loaded):
    params = loaded[1]["params"]
    assert sum(x.size for x in jax.tree.leaves(params)) == case["num_params"]


def test_pyramid_and_predictions_match_reference(case, loaded, images):
    model, variables = loaded
    output, captured = jax.jit(
        lambda v, x: model.apply(
            v, x, train=False, capture_intermediates=lambda m, _: m.name == "neck"
        )
    )(variables, images)
    pyramid = captured["intermediates"]["neck"]["__call__"][0]
    for i, stride in enumerate((8, 16, 32, 64, 128)):
        assert_agrees(pyramid[stride].mean((1, 2)), case[f"feature{i}_mean"], FORWARD)
    assert_agrees(output.box_regression, case["bbox_regression"], FORWARD)
    step = int(case["cls_logits_step"])
    assert_agrees(output.class_logits[..., ::step], case["cls_logits"], FORWARD)
    assert_agrees(output.class_logits.sum(-1), case["cls_logits_sum"], FORWARD)


def test_anchors_match_reference(case, images):
    anchors = RetinaNetMethod().priors(*images.shape[1:3])
    np.testing.assert_array_equal(anchors.boxes, case["anchors"])


def test_targets_match_reference(case, images, objects):
    method = RetinaNetMethod()
    assignment = jax.jit(lambda x: method.assign(method.priors(*images.shape[1:3]), x))(objects)
    coded = np.where(assignment.ignored, -2, assignment.matched)
    np.testing.assert_array_equal(coded, case["matched"])


@pytest.mark.slow  # what it adds to the tests of its parts is the order of the steps
def test_detections_match_reference(case, loaded, task, images):
    params, state = split(loaded[1])
    found = jax.jit(task.predict)(params, state, {"image": images}, key=jax.random.key(0))
    np.testing.assert_array_equal(found.valid.sum(1), case["det_count"])
    for i, count in enumerate(case["det_count"]):
        np.testing.assert_array_equal(found.classes[i, :count], case["det_labels"][i, :count])
        assert_agrees(found.boxes[i, :count], case["det_boxes"][i, :count], FORWARD)
        assert_agrees(found.scores[i, :count], case["det_scores"][i, :count], FORWARD)


def test_losses_match_reference(case, loaded, task, images, objects):
    params, state = split(loaded[1])
    batch = {"image": images, **objects._asdict()}
    loss = jax.jit(task.loss)(params, state, batch, step=jnp.int32(0), key=jax.random.key(0))
    assert_agrees(loss.logs["classification"], case["loss_classification"], TRAINING)
    assert_agrees(loss.logs["box"], case["loss_bbox_regression"], TRAINING)


@pytest.mark.slow
def test_gradients_match_reference(case, loaded, task, images, objects):
    params, state = split(loaded[1])
    batch = {"image": images, **objects._asdict()}

    def objective(params):
        loss = task.loss(params, state, batch, step=jnp.int32(0), key=jax.random.key(0))
        return loss.value, loss

    grads, loss = jax.jit(jax.grad(objective, has_aux=True))(params)
    for ours, frozen in zip(jax.tree.leaves(loss.state), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(ours, frozen)
    assert gradients_that_agree(case, NAME, grads, state) == 4


def test_export_writes_what_was_read(case, loaded):
    state = state_of(case)
    exported = pretrained.export(NAME, loaded[1])
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value)


def test_the_released_file_has_older_names(case, loaded):
    older = pretrained.export(NAME, loaded[1], source=names.RELEASED.label)
    assert "backbone.fpn.layer_blocks.2.bias" in older
    assert "head.regression_head.conv.6.weight" in older
    _, variables = pretrained.load(NAME, older)
    jax.tree.map(np.testing.assert_array_equal, variables, loaded[1])


def test_number_of_classes_is_read_off_the_weights(case):
    state = state_of(case)
    for leaf in ("weight", "bias"):
        key = f"head.classification_head.cls_logits.{leaf}"
        state[key] = state[key][: 9 * 7]
    assert pretrained.load(NAME, state)[0].num_classes == 7


def test_fields_are_replaced_in_the_detector_and_in_its_backbone(loaded):
    model, variables = loaded
    state = pretrained.export(NAME, variables)
    half, _ = pretrained.load(NAME, state, dtype=jnp.bfloat16)
    assert (half.dtype, half.backbone.dtype) == (jnp.bfloat16, jnp.bfloat16)
    assert half.image_mean != model.image_mean
    with pytest.raises(ValueError, match="fields of ResNet are .*image_mean.*, got mean"):
        pretrained.load(NAME, state, mean=0.0)
