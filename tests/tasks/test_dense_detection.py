import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxvision import models
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.data.detection import detection_source
from jaxvision.data.detection_examples import DetectionEvalExample
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.stream import Stream
from jaxvision.layers.batch_norm import BatchNorm
from jaxvision.losses.detection.retinanet import RetinaNetMethod
from jaxvision.losses.detection.ssd import SSDMethod
from jaxvision.losses.detection.yolov1 import YOLOv1Method
from jaxvision.losses.detection.yolov2 import YOLOv2Method
from jaxvision.losses.detection.yolov3 import TINY_ANCHORS, YOLOv3Method
from jaxvision.losses.detection.yolov4 import YOLOv4Method
from jaxvision.losses.detection.yolov5 import YOLOv5Method
from jaxvision.losses.detection.yolov8 import YOLOv8Method
from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.ssd import TINY
from jaxvision.ops.objects import Objects
from jaxvision.tasks.dense_detection import DenseDetection
from jaxvision.train import sharding


@pytest.fixture
def optimised():
    """Compiles as outside of tests: where hundreds of steps run, or memory is measured."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def shapes_batch(images=8, size=64):
    source = detection_source("shapes", None, "train", length=images, image_size=size)
    example = DetectionEvalExample(source, Letterbox((size, size)))
    (batch,) = Stream(InOrder(images, images), example)
    return source.classes, batch


def yolox(classes):
    return DenseDetection(
        models.yolox("nano", num_classes=len(classes)), YOLOXMethod(l1_from_step=0), classes
    )


def retinanet(classes):
    method = RetinaNetMethod(strides=(8, 16, 32), anchor_scale=2.0)
    model = models.retinanet("tiny", num_classes=len(classes), strides=method.strides)
    return DenseDetection(model, method, classes, nms_threshold=0.5)


# Sizes of the drawn objects, in pixels at 128.
SQUARES = tuple((side, side) for side in (22.0, 30.0, 38.0, 46.0, 56.0))
# Network, method, steps, side of the images. The statistics of Darknet's normalisation need more
# steps than the weights: each keeps 99% of them.
OTHERS = {
    "yolov5": ("yolov5", "n", YOLOv5Method(objectness_weight=0.1), 300, 64),
    # The first boxes are 15 strides wide: the overlap of smaller objects with them, to the sixth
    # power, is less than the epsilon that the assignment adds to it, and they are never learned.
    "yolov8": ("yolov8", "n", YOLOv8Method(), 300, 192),
    "yolov3": ("yolov3", "yolov3_tiny", YOLOv3Method(TINY_ANCHORS, (16, 32)), 600, 64),
    "yolov4": (
        "yolov4",
        "yolov4_tiny",
        YOLOv4Method(TINY_ANCHORS, (16, 32), (1.05, 1.05)),
        600,
        64,
    ),
    "ssd": ("ssd", "ssd_tiny", SSDMethod(TINY), 300, 128),
    "yolov2": (
        "yolov2",
        "yolov2_tiny_coco",
        YOLOv2Method((SQUARES,), prior_images=0),
        600,
        128,
    ),
    "yolov1": ("yolov1", "yolov1_nano", YOLOv1Method(stride=32), 600, 192),
}


def other(name):
    def build(classes):
        network, variant, method, *_ = OTHERS[name]
        model = getattr(models, network)(variant, num_classes=len(classes))
        return DenseDetection(model, method, classes, nms_threshold=0.5)

    return build


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "learning_rate", "steps", "size"),
    [
        pytest.param(yolox, 3e-3, 500, 64, id="yolox"),
        pytest.param(retinanet, 1e-3, 300, 64, id="retinanet"),
        *(pytest.param(other(name), 1e-3, *OTHERS[name][3:], id=name) for name in OTHERS),
    ],
)
def test_learns_eight_images_by_heart(optimised, build, learning_rate, steps, size):
    classes, batch = shapes_batch(size=size)
    task = build(classes)
    params, state = jax.jit(task.init)(jax.random.key(3), batch)
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params, state, opt_state, count):
        def objective(params):
            loss = task.loss(params, state, batch, step=count, key=jax.random.key(0))
            return loss.value, loss

        grads, loss = jax.grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), loss.state, opt_state

    for i in range(steps):
        params, state, opt_state = step(params, state, opt_state, jnp.int32(i))
    metrics = task.measure(detections(task, params, state, batch), batch).compute()
    assert metrics["AP50"] >= 0.9
    assert metrics["AP"] > 0.6


class FixedOutput:
    """A network that predicts the same for any images."""

    def __init__(self, num_classes, anchors=8 * 8 + 4 * 4 + 2 * 2):
        self.num_classes = num_classes
        shapes = ((2, anchors, 4), (2, anchors, num_classes), (2, anchors))
        keys = jax.random.split(jax.random.key(0), 3)
        self.output = DetectorOutput(*map(jax.random.normal, keys, shapes))

    def apply(self, variables, images, *, train, mutable, rngs):
        return self.output, {}


def test_terms_of_the_method_are_summed_and_logged():
    classes, batch = shapes_batch(images=2)
    seen = np.unique(batch["classes"][batch["valid"]])
    weights = tuple(0.0 if number in seen else 1.0 for number in range(len(classes)))
    task = DenseDetection(FixedOutput(4), YOLOXMethod(class_weights=weights), classes)
    loss = jax.jit(task.loss)({}, {}, batch, step=jnp.int32(0), key=jax.random.key(0))
    assert loss.logs["classification"] == 0
    assert loss.logs["box"] > 0
    terms = ("box", "objectness", "classification", "l1")
    np.testing.assert_allclose(loss.value, sum(loss.logs[name] for name in terms), rtol=1e-6)
    assert set(loss.logs) == {*terms, "matches_per_object"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(score_threshold=1.5), r"score_threshold must be in \[0, 1\], got 1.5"),
        (dict(nms_threshold=-1), r"nms_threshold must be in \[0, 1\], got -1"),
        (dict(max_detections=0), r"max_detections must be in \[1, 100_000\], got 0"),
        (dict(max_candidates=0), r"max_candidates must be in \[1, 100_000\], got 0"),
        (dict(class_names=("a",)), "one for each of the network's 4 classes, got 1"),
        (
            dict(method=YOLOXMethod(class_weights=(1.0,) * 3)),
            "one for each of 4 classes, got 3",
        ),
    ],
)
def test_impossible_values_are_errors(options, message):
    task = DenseDetection(FixedOutput(4), YOLOXMethod(), tuple("abcd"))
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(task, **options)


class SmallDetector(nn.Module):
    """YOLOX's outputs from a layer for each stride: compiled in a moment."""

    num_classes: int

    @nn.compact
    def __call__(self, images, *, train):
        maps = []
        for stride in (8, 16, 32):
            window = (stride, stride)
            x = nn.Conv(8, window, window)(images.astype(jnp.float32) / 255)
            x = nn.silu(BatchNorm()(x, train=train))
            x = nn.Conv(5 + self.num_classes, (1, 1))(x)
            maps.append(x.reshape(len(x), -1, x.shape[-1]))
        box, objectness, classes = jnp.split(jnp.concatenate(maps, axis=1), (4, 5), axis=-1)
        return DetectorOutput(box, classes, objectness[..., 0])


@pytest.fixture(scope="module")
def small():
    classes, batch = shapes_batch(images=2)
    task = DenseDetection(SmallDetector(len(classes)), YOLOXMethod(), classes)
    return task, batch, *jax.jit(task.init)(jax.random.key(0), batch)


def detections(task, params, state, batch):
    return jax.device_get(jax.jit(task.predict)(params, state, batch, key=jax.random.key(0)))


def test_an_image_without_objects_trains(small):
    task, batch, params, state = small
    empty = dict(batch, valid=np.zeros_like(batch["valid"]))
    loss = jax.jit(task.loss)(params, state, empty, step=jnp.int32(0), key=jax.random.key(0))
    assert np.isfinite(loss.value)
    assert loss.logs["box"] == 0
    assert loss.logs["matches_per_object"] == 0


def test_detections_are_padded_to_a_static_number_and_sorted(small):
    task, batch, params, state = small
    found = detections(task, params, state, batch)
    anchors = 8 * 8 + 4 * 4 + 2 * 2
    assert found.boxes.shape == (2, anchors, 4)
    scores = np.asarray(found.scores)
    assert (np.diff(scores, axis=1) <= 0).all()
    few = dataclasses.replace(task, max_detections=7)
    assert detections(few, params, state, batch).boxes.shape == (2, 7, 4)


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


@pytest.mark.slow
def test_bfloat16_comes_close_and_keeps_its_state_in_float32():
    classes, batch = shapes_batch(images=2)
    task = yolox(classes)
    params, state = jax.jit(task.init)(jax.random.key(0), batch)
    half = models.yolox("nano", num_classes=len(classes), dtype=jnp.bfloat16)
    exact = loss_of(task, params, state, batch)
    loss = loss_of(dataclasses.replace(task, model=half), params, state, batch)
    np.testing.assert_allclose(loss[0], exact[0], rtol=0.05)
    assert {x.dtype for x in jax.tree.leaves(loss)} == {np.dtype("float32")}


def temporary_bytes(method, output, images, objects):
    """Of assignment, loss and gradient at COCO's size, 640 x 640 pixels."""
    priors = method.priors(640, 640)

    def total(output, objects):
        loss = method.loss(output, priors, objects, step=jnp.int32(0), key=jax.random.key(0))
        return sum(loss.terms.values())

    def shape(*size, dtype=jnp.float32):
        return jax.ShapeDtypeStruct((images, *size), dtype)

    truth = Objects(shape(objects, 4), shape(objects, dtype=jnp.int32), shape(objects, dtype=bool))
    raw = DetectorOutput(*(None if size is None else shape(*size) for size in output))
    compiled = jax.jit(jax.grad(total)).lower(raw, truth).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_of_the_gradient_is_bounded(optimised):
    """120 objects and 80 classes: YOLOX's batch of 64, RetinaNet's of 16."""
    anchors = 80 * 80 + 40 * 40 + 20 * 20
    size = temporary_bytes(YOLOXMethod(), ((anchors, 4), (anchors, 80), (anchors,)), 64, 120)
    assert size < 2 * 2**30
    anchors = 9 * (anchors + 10 * 10 + 5 * 5)
    size = temporary_bytes(RetinaNetMethod(), ((anchors, 4), (anchors, 80), None), 16, 120)
    assert size < 2 * 2**30
