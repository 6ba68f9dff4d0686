"""Outputs, targets, losses and gradients of Ultralytics 8.2, through its weights' importer."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import FORWARD, TRAINING, assert_agrees, count, images_of, objects_of, state_of

from jaxvision import models, pretrained
from jaxvision.losses.detection.yolov8 import YOLOv8Method, decode_boxes
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.yolov8 import STRIDES, VARIANTS
from jaxvision.ops.boxes import xyxy_to_cxcywh
from jaxvision.ops.objects import Objects
from jaxvision.pretrained.yolov8 import DISTANCES
from jaxvision.tasks.dense_detection import DenseDetection

NAME = "yolov8n"


@pytest.fixture(scope="module")
def case():
    return fill.load_case(NAME)


@pytest.fixture(scope="module")
def state(case):
    return state_of(case)


@pytest.fixture(scope="module")
def loaded(state):
    # The case feeds the network what it sees after the division by 255.
    return pretrained.load(NAME, state, image_std=(1.0,) * 3)


@pytest.fixture(scope="module")
def images(case):
    return images_of(case)


def test_predictions_match_reference(case, loaded, images):
    model, variables = loaded
    assert (
        count(variables["params"]) + 16 == case["num_params"]
    )  # the distances of the bins are constants here
    output, captured = jax.jit(
        lambda v, x: model.apply(
            v, x, train=False, capture_intermediates=lambda m, _: m.name in ("neck", "backbone")
        )
    )(variables, images)
    levels = captured["intermediates"]
    for part, numbers in (("neck", (15, 18, 21)), ("backbone", (4, 6, 9))):
        features = levels[part]["__call__"][0]
        for stride, number in zip(STRIDES, numbers, strict=True):
            assert_agrees(features[stride].mean((1, 2)), case[f"layer{number}_mean"], FORWARD)
    assert_agrees(output.box_regression, case["raw"][..., :64], FORWARD)
    assert_agrees(output.class_logits, case["raw"][..., 64:], FORWARD)
    points = YOLOv8Method().priors(*images.shape[1:3])
    boxes = xyxy_to_cxcywh(decode_boxes(output.box_regression, points))
    assert_agrees(boxes, case["decoded_boxes"], FORWARD)


@pytest.mark.slow  # the assigner and the loss alone are compared in every run
def test_losses_and_gradients_match_reference(case, loaded, images):
    model, variables = loaded
    task = DenseDetection(model, YOLOv8Method(), tuple(map(str, range(80))))
    objects = objects_of(case["labels"], *images.shape[:3])
    batch = {"image": images, **objects._asdict()}

    def objective(params):
        collections = {"batch_stats": variables["batch_stats"]}
        loss = task.loss(params, collections, batch, step=jnp.int32(0), key=jax.random.key(0))
        return loss.value, loss

    grads, loss = jax.jit(jax.grad(objective, has_aux=True))(variables["params"])
    assert_agrees(loss.logs["box"], case["box_loss"], TRAINING)
    assert_agrees(loss.logs["classification"], case["cls_loss"], TRAINING)
    assert_agrees(loss.logs["distribution"], case["dfl_loss"], TRAINING)
    assert_agrees(loss.value, case["total_loss"], TRAINING)
    exported = pretrained.export(NAME, {"params": grads, "batch_stats": variables["batch_stats"]})
    checked = 0
    for key, theirs in case.items():
        if key.startswith("grad:"):
            assert_agrees(exported[key.removeprefix("grad:")], theirs, TRAINING)
            checked += 1
    assert checked == 3


@pytest.fixture(scope="module")
def alone():
    """The assignment and the loss of given predictions."""
    case = dict(np.load(fill.HERE / "tal.npz"))
    height, width = map(int, case["image_hw"])
    valid = np.arange(case["gt_xyxy"].shape[1])[None] < case["gt_count"][:, None]
    objects = Objects(case["gt_xyxy"], case["gt_class"].astype(np.int32), valid)
    output = DetectorOutput(case["raw"][..., :64], case["raw"][..., 64:])
    return case, output, YOLOv8Method().priors(height, width), objects


def test_targets_match_those_of_the_reference(alone):
    case, output, points, objects = alone
    assert_agrees(
        decode_boxes(jnp.asarray(output.box_regression), points), case["boxes_xyxy"], FORWARD
    )
    found = jax.jit(lambda o, x: YOLOv8Method().assign(o, points, x))(output, objects)
    np.testing.assert_array_equal(found.matched, case["target_gt"])
    assert_agrees(found.score, case["target_score"], FORWARD)


def test_loss_of_given_predictions_and_its_gradient_match_reference(alone):
    case, output, points, objects = alone

    def objective(output):
        loss = YOLOv8Method().loss(
            output, points, objects, step=jnp.int32(0), key=jax.random.key(0)
        )
        return loss.scale * sum(loss.terms.values()), loss.terms

    grads, terms = jax.jit(jax.grad(objective, has_aux=True))(output)
    for ours, theirs in (("box", "box"), ("classification", "cls"), ("distribution", "dfl")):
        assert_agrees(terms[ours], case[f"{theirs}_loss"], TRAINING)
    assert_agrees(3 * sum(terms.values()), case["total_loss"], TRAINING)
    assert_agrees(grads.box_regression[:, ::5], case["grad_distribution_sub"], TRAINING)
    assert_agrees(grads.class_logits[:, ::5], case["grad_scores_sub"], TRAINING)


def test_export_writes_what_was_read_and_the_distances(state, loaded):
    exported = pretrained.export(NAME, loaded[1])
    np.testing.assert_array_equal(exported.pop(DISTANCES).ravel(), np.arange(16))
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value)


# Of the authors' networks, with 80 and with 20 classes.
COUNTS = {
    "yolov8n": (3_157_200, 3_014_748),
    "yolov8s": (11_166_560, 11_143_340),
    "yolov8m": (25_902_640, 25_867_900),
    "yolov8l": (43_691_520, 43_645_260),
    "yolov8x": (68_229_648, 68_171_868),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_number_of_parameters_matches_reference(variant):
    for num_classes, expected in zip((80, 20), COUNTS[variant], strict=True):
        model = models.yolov8(variant, num_classes=num_classes)
        images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
        shapes = jax.eval_shape(
            lambda x, model=model: model.init(jax.random.key(0), x, train=False), images
        )
        assert count(shapes["params"]) + 16 == expected
