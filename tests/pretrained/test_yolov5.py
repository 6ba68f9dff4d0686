"""Outputs, matches, losses and gradients of release v7.0, through the importer of its weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import (
    FORWARD,
    TRAINING,
    anchors_first,
    assert_agrees,
    count,
    images_of,
    objects_of,
    raw,
    state_of,
)

from jaxvision import models, pretrained
from jaxvision.assigners.anchor_ratio import anchor_ratio
from jaxvision.losses.detection.yolov5 import YOLOv5Method, decode_boxes
from jaxvision.models.detection.yolov5 import STRIDES, VARIANTS
from jaxvision.ops.boxes import xyxy_to_cxcywh
from jaxvision.pretrained.yolov5 import ANCHORS
from jaxvision.tasks.dense_detection import DenseDetection

NAME = "yolov5n"


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


@pytest.fixture(scope="module")
def objects(case, images):
    return objects_of(case["labels"], *images.shape[:3])


def in_order_of_reference(x, anchors):
    parts = [anchors_first(x, level) for level in anchors.levels]
    return np.concatenate([part.reshape(len(x), -1, x.shape[-1]) for part in parts], axis=1)


def test_anchors_are_those_of_the_release(case):
    np.testing.assert_array_equal(YOLOv5Method().anchors, case["anchors_pixels"])


def test_predictions_match_reference(case, loaded, images):
    model, variables = loaded
    assert count(variables["params"]) == case["num_params"]
    output, captured = jax.jit(
        lambda v, x: model.apply(
            v, x, train=False, capture_intermediates=lambda m, _: m.name in ("neck", "backbone")
        )
    )(variables, images)
    levels = captured["intermediates"]
    for part, numbers in (("neck", (17, 20, 23)), ("backbone", (4, 6, 9))):
        features = levels[part]["__call__"][0]
        for stride, number in zip(STRIDES, numbers, strict=True):
            assert_agrees(features[stride].mean((1, 2)), case[f"layer{number}_mean"], FORWARD)
    anchors = YOLOv5Method().priors(*images.shape[1:3])
    assert_agrees(in_order_of_reference(raw(output), anchors), case["raw"], FORWARD)
    boxes = xyxy_to_cxcywh(decode_boxes(output.box_regression, anchors))
    assert_agrees(in_order_of_reference(boxes, anchors), case["decoded_boxes"], FORWARD)


def test_matches_equal_those_of_the_reference(case, images, objects):
    anchors = YOLOv5Method().priors(*images.shape[1:3])
    for k, level in enumerate(anchors.levels):
        matches = jax.jit(jax.vmap(lambda x, level=level: anchor_ratio(x, level)))(objects)
        found = set()
        for image, number, neighbour, anchor in np.argwhere(matches.valid):
            cell, own = divmod(int(matches.anchor[image, number, neighbour, anchor]), 3)
            assert own == anchor
            row, column = divmod(cell, level.columns)
            box = np.round(np.asarray(matches.box[image, number, neighbour]), 3)
            class_ = int(objects.classes[image, number])
            found.add((int(image), int(anchor), row, column, class_, *map(float, box)))
        theirs = {
            (*map(int, match), int(class_), *map(float, np.round(box, 3)))
            for match, class_, box in zip(
                case[f"match{k}"], case[f"match_class{k}"], case[f"match_box{k}"], strict=True
            )
        }
        assert {x[:5] for x in found} == {x[:5] for x in theirs}
        np.testing.assert_allclose(sorted(found), sorted(theirs), atol=2e-3)


def test_losses_and_gradients_match_reference(case, loaded, images, objects):
    model, variables = loaded
    classes = tuple(map(str, range(80)))
    task = DenseDetection(model, YOLOv5Method(), classes)
    batch = {"image": images, **objects._asdict()}

    def objective(params):
        collections = {"batch_stats": variables["batch_stats"]}
        loss = task.loss(params, collections, batch, step=jnp.int32(0), key=jax.random.key(0))
        return loss.value, loss

    grads, loss = jax.jit(jax.grad(objective, has_aux=True))(variables["params"])
    assert_agrees(loss.logs["box"], case["box_loss"], TRAINING)
    assert_agrees(loss.logs["objectness"], case["obj_loss"], TRAINING)
    assert_agrees(loss.logs["classification"], case["cls_loss"], TRAINING)
    assert_agrees(loss.value, case["total_loss"], TRAINING)
    exported = pretrained.export(NAME, {"params": grads, "batch_stats": variables["batch_stats"]})
    checked = 0
    for key, theirs in case.items():
        if key.startswith("grad:"):
            assert_agrees(exported[key.removeprefix("grad:")], theirs, TRAINING)
            checked += 1
    assert checked == 3


def test_export_writes_what_was_read_and_the_anchors(case, state, loaded):
    exported = pretrained.export(NAME, loaded[1])
    sizes = exported.pop(ANCHORS) * np.reshape(STRIDES, (3, 1, 1))
    np.testing.assert_array_equal(sizes, case["anchors_pixels"])
    assert exported.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(exported[name], value)


# Of the authors' release, with 80 and with 20 classes.
COUNTS = {
    "yolov5n": (1_872_157, 1_790_977),
    "yolov5s": (7_235_389, 7_073_569),
    "yolov5m": (21_190_557, 20_948_097),
    "yolov5l": (46_563_709, 46_240_609),
    "yolov5x": (86_749_405, 86_345_665),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_number_of_parameters_matches_reference(variant):
    for num_classes, expected in zip((80, 20), COUNTS[variant], strict=True):
        model = models.yolov5(variant, num_classes=num_classes)
        images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
        shapes = jax.eval_shape(
            lambda x, model=model: model.init(jax.random.key(0), x, train=False), images
        )
        assert count(shapes["params"]) == expected
