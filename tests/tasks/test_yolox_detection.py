import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxvision import models
from jaxvision.data.detection import detection_source
from jaxvision.data.detection_samples import DetectionEvalSample
from jaxvision.data.pipeline import EvalStream
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.tasks.yolox_detection import YOLOXDetection
from jaxvision.train import sharding


def shapes_batch(images=8, size=64):
    source = detection_source("shapes", None, "train", length=images, image_size=size)
    sample = DetectionEvalSample(source, (size, size))
    (batch,) = EvalStream(sample, images, batch_size=images, num_workers=0)
    return source.classes, batch


def test_learns_eight_images_by_heart():
    classes, batch = shapes_batch()
    task = YOLOXDetection(models.yolox("nano", num_classes=len(classes)), classes, l1_from_step=0)
    params, state = jax.jit(task.init)(jax.random.key(3), batch)
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, 500))
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params, state, opt_state, count):
        def objective(params):
            loss = task.loss(params, state, batch, step=count, key=jax.random.key(0))
            return loss.value, loss

        grads, loss = jax.grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), loss.state, opt_state

    for i in range(500):
        params, state, opt_state = step(params, state, opt_state, jnp.int32(i))
    found = jax.device_get(jax.jit(task.predict)(params, state, batch))
    metrics = task.measure(found, batch).compute()
    assert metrics["AP50"] > 0.9
    assert metrics["AP"] > 0.6


class FixedOutput:
    """A network that predicts the same whatever it sees."""

    def __init__(self, num_classes, anchors=8 * 8 + 4 * 4 + 2 * 2):
        shapes = ((2, anchors, 4), (2, anchors), (2, anchors, num_classes))
        keys = jax.random.split(jax.random.key(0), 3)
        self.output = DetectorOutput(*map(jax.random.normal, keys, shapes))

    def apply(self, variables, images, *, train, mutable):
        return self.output, {}


def test_class_weights_enter_the_loss():
    classes, batch = shapes_batch(images=2)
    seen = np.unique(batch["classes"][batch["valid"]])
    weights = tuple(0.0 if number in seen else 1.0 for number in range(len(classes)))
    task = YOLOXDetection(FixedOutput(len(classes)), classes, class_weights=weights)
    logs = jax.jit(task.loss)({}, {}, batch, step=jnp.int32(0), key=jax.random.key(0)).logs
    assert logs["classification"] == 0
    assert logs["box"] > 0
    with pytest.raises(ValueError, match="one for each of 4 classes, got 3"):
        dataclasses.replace(task, class_weights=(1.0,) * 3)


@pytest.fixture(scope="module")
def small():
    classes, batch = shapes_batch(images=2)
    task = YOLOXDetection(models.yolox("nano", num_classes=len(classes)), classes)
    return task, batch, *jax.jit(task.init)(jax.random.key(0), batch)


def test_l1_enters_at_its_step(small):
    task, batch, params, state = small
    task = dataclasses.replace(task, l1_from_step=5)
    loss = jax.jit(task.loss)
    terms = [
        loss(params, state, batch, step=jnp.int32(s), key=jax.random.key(0)).logs["l1"]
        for s in (4, 5)
    ]
    assert terms[0] == 0
    assert terms[1] > 0


def test_an_image_without_objects_trains(small):
    task, batch, params, state = small
    empty = dict(batch, valid=np.zeros_like(batch["valid"]))
    loss = jax.jit(task.loss)(params, state, empty, step=jnp.int32(0), key=jax.random.key(0))
    assert np.isfinite(loss.value)
    assert loss.logs["box"] == 0
    assert loss.logs["matches_per_object"] == 0


def test_detections_are_padded_to_a_static_number_and_sorted(small):
    task, batch, params, state = small
    found = jax.jit(task.predict)(params, state, batch)
    anchors = 8 * 8 + 4 * 4 + 2 * 2
    assert found.boxes.shape == (2, anchors, 4)
    scores = np.asarray(found.scores)
    assert (np.diff(scores, axis=1) <= 0).all()
    few = dataclasses.replace(task, max_detections=7)
    assert jax.jit(few.predict)(params, state, batch).boxes.shape == (2, 7, 4)


def loss_of(task, params, state, batch):
    loss = jax.jit(task.loss)(params, state, batch, step=jnp.int32(0), key=jax.random.key(0))
    return jax.device_get((loss.value, loss.logs, loss.state))


def test_eight_devices_equal_one_with_statistics_of_the_whole_batch(small):
    task, _, params, state = small
    _, batch = shapes_batch(images=8)
    one = loss_of(task, params, state, sharding.put_batch(batch, sharding.data_mesh(1)))
    mesh = sharding.data_mesh(8)
    everywhere = jax.device_put((params, state), sharding.replicated(mesh))
    eight = loss_of(task, *everywhere, sharding.put_batch(batch, mesh))
    for a, b in zip(jax.tree.leaves(one[:2]), jax.tree.leaves(eight[:2]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    for a, b in zip(jax.tree.leaves(one[2]), jax.tree.leaves(eight[2]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_bfloat16_comes_close_and_keeps_its_state_in_float32(small):
    task, batch, params, state = small
    half = models.yolox("nano", num_classes=len(task.class_names), dtype=jnp.bfloat16)
    exact = loss_of(task, params, state, batch)
    loss = loss_of(dataclasses.replace(task, model=half), params, state, batch)
    np.testing.assert_allclose(loss[0], exact[0], rtol=0.05)
    assert {x.dtype for x in jax.tree.leaves(loss)} == {np.dtype("float32")}


def test_memory_of_the_gradient_stays_below_two_gibibytes():
    """Assignment and loss at COCO's size: batch 64, 120 objects, 8,400 anchors, 80 classes."""
    from jaxvision.assigners.simota import simota
    from jaxvision.losses.detection.yolox import decode_boxes, yolox_loss
    from jaxvision.models.detection.detector_output import DetectorOutput
    from jaxvision.ops.points import anchor_points

    images, objects, classes = 64, 120, 80
    points = anchor_points(640, 640, (8, 16, 32))
    anchors = len(points.strides)

    def total(output, gt_boxes, gt_classes, gt_valid):
        assign = jax.vmap(simota, in_axes=(0, 0, 0, None, None, 0, 0, 0))
        assignment = assign(
            decode_boxes(output.box_regression, points),
            output.class_logits,
            output.objectness,
            *points,
            gt_boxes,
            gt_classes,
            gt_valid,
        )
        return yolox_loss(
            output, points, assignment, gt_boxes, gt_classes, gt_valid, l1_weight=1.0
        ).total

    def shape(*size, dtype=jnp.float32):
        return jax.ShapeDtypeStruct((images, *size), dtype)

    compiled = (
        jax.jit(jax.grad(total))
        .lower(
            DetectorOutput(shape(anchors, 4), shape(anchors), shape(anchors, classes)),
            shape(objects, 4),
            shape(objects, dtype=jnp.int32),
            shape(objects, dtype=jnp.bool_),
        )
        .compile()
    )
    assert compiled.memory_analysis().temp_size_in_bytes < 2 * 2**30
