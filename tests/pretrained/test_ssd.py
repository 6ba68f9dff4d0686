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
    count,
    gradients_that_agree,
    images_of,
    state_of,
)

from jaxvision import models, pretrained
from jaxvision.losses.detection.ssd import SSDMethod
from jaxvision.models.detection.ssd import SSD512, TINY
from jaxvision.ops.objects import Objects
from jaxvision.tasks.dense_detection import DenseDetection

NAME = "ssd300_vgg16"


@pytest.fixture(scope="module")
def case():
    return fill.load_case(NAME)


@pytest.fixture(scope="module")
def loaded(case):
    # The case feeds the network what it sees after normalisation.
    return pretrained.load(NAME, state_of(case), image_mean=(0.0,) * 3)


@pytest.fixture(scope="module")
def batch(case):
    valid = np.arange(case["gt_boxes"].shape[1])[None] < case["gt_count"][:, None]
    # There 0 is the background.
    classes = case["gt_labels"].astype(np.int32) - 1
    return {
        "image": images_of(case),
        "boxes": case["gt_boxes"],
        "classes": np.where(valid, classes, 0),
        "valid": valid,
    }


def test_boxes_and_matches_equal_the_references(case, batch):
    method = SSDMethod()
    anchors = method.priors(300, 300)
    assert_agrees(anchors.boxes, case["anchors"], 1e-6)
    objects = Objects(batch["boxes"], batch["classes"], batch["valid"])
    found = jax.jit(lambda x: method.assign(anchors, x))(objects)
    np.testing.assert_array_equal(found.matched, case["matched"])


def test_predictions_and_detections_match_reference(case, loaded, batch):
    model, variables = loaded
    assert count(variables["params"]) == case["num_params"]
    task = DenseDetection(
        model,
        SSDMethod(),
        tuple(map(str, range(20))),
        score_threshold=float(case["score_thresh"]),
        nms_threshold=0.45,
        max_candidates=3000,
    )

    @jax.jit
    def run(params, images):
        output = model.apply({"params": params}, images, train=False)
        found = task.predict(params, {}, {"image": images}, key=jax.random.key(0))
        return output, found

    output, found = run(variables["params"], batch["image"])
    assert_agrees(output.box_regression, case["bbox_regression"], FORWARD)
    assert_agrees(output.class_logits, case["cls_logits"], FORWARD)
    (number,) = case["det_count"]
    assert found.valid.sum() == number
    np.testing.assert_array_equal(found.classes[0, :number] + 1, case["det_labels"][0])
    assert_agrees(found.boxes[0, :number], case["det_boxes"][0], FORWARD)
    assert_agrees(found.scores[0, :number], case["det_scores"][0], FORWARD)


@pytest.mark.slow
def test_losses_and_gradients_match_reference(case, loaded, batch):
    model, variables = loaded
    task = DenseDetection(model, SSDMethod(), tuple(map(str, range(20))))

    def objective(params):
        loss = task.loss(params, {}, batch, step=jnp.int32(0), key=jax.random.key(0))
        return loss.value, loss

    grads, loss = jax.jit(jax.grad(objective, has_aux=True))(variables["params"])
    assert_agrees(loss.logs["classification"], case["loss_classification"], TRAINING)
    assert_agrees(loss.logs["box"], case["loss_bbox_regression"], TRAINING)
    assert gradients_that_agree(case, NAME, grads, {}) == 3


def test_export_writes_what_was_read(case, loaded):
    state = state_of(case)
    exported = pretrained.export(NAME, loaded[1])
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value)


# torchvision's with 20 and 90 classes and the background; the authors' of 512 pixels.
@pytest.mark.parametrize(
    ("variant", "num_classes", "expected"),
    [
        ("ssd300_vgg16", 20, 26_285_486),
        ("ssd300_vgg16", 80, 34_305_206),
        ("ssd300_vgg16", 90, 35_641_826),
        ("ssd512_vgg16", 20, 27_188_676),
        ("ssd512_vgg16", 80, 36_038_196),
    ],
)
def test_number_of_parameters_matches_reference(variant, num_classes, expected):
    model = models.ssd(variant, num_classes=num_classes)
    side = 512 if "512" in variant else 300
    images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    assert count(shapes["params"]) == expected


@pytest.mark.parametrize(
    ("variant", "layout", "sizes", "expected"),
    [
        ("ssd512_vgg16", SSD512, (512, 512), 24_564),
        ("ssd_tiny", TINY, (128, 96), 16 * 12 * 4 + 8 * 6 * 6 + 4 * 3 * 6 + 2 * 2 * 4),
    ],
)
def test_there_is_a_default_box_for_each_prediction(variant, layout, sizes, expected):
    model = models.ssd(variant, num_classes=3)
    images = jax.ShapeDtypeStruct((1, *sizes, 3), jnp.float32)
    keys = {"params": jax.random.key(0)}
    output, _ = jax.eval_shape(lambda x: model.init_with_output(keys, x, train=False), images)
    boxes = SSDMethod(layout).priors(*sizes).boxes
    assert output.box_regression.shape == (1, expected, 4) == (1, *boxes.shape)
    assert output.class_logits.shape == (1, expected, 4)
