"""What no detector may stumble over: no objects, thin boxes, saturated predictions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick

from jaxvision import models
from jaxvision.losses.detection.retinanet import RetinaNetMethod
from jaxvision.losses.detection.ssd import SSDMethod
from jaxvision.losses.detection.yolov1 import YOLOv1Method
from jaxvision.losses.detection.yolov2 import COCO_ANCHORS, YOLOv2Method
from jaxvision.losses.detection.yolov3 import TINY_ANCHORS, YOLOv3Method
from jaxvision.losses.detection.yolov4 import YOLOv4Method
from jaxvision.losses.detection.yolov5 import YOLOv5Method
from jaxvision.losses.detection.yolov8 import YOLOv8Method
from jaxvision.losses.detection.yolox import YOLOXMethod
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.models.detection.ssd import SSD512, TINY
from jaxvision.ops.objects import Objects
from jaxvision.tasks.dense_detection import DenseDetection

SIZE = 64
CLASSES = 3
# With the numbers of a box and the anchors of the image.
METHODS = {
    "yolov1": (YOLOv1Method(stride=32), 4, 8),
    "yolov2": (YOLOv2Method(COCO_ANCHORS), 4, 20),
    "yolov3": (YOLOv3Method(TINY_ANCHORS, (16, 32)), 4, 60),
    "yolov4": (YOLOv4Method(TINY_ANCHORS, (16, 32), (1.05, 1.05)), 4, 60),
    "yolov5": (YOLOv5Method(), 4, 252),
    "yolov8": (YOLOv8Method(), 64, 84),
    "yolox": (YOLOXMethod(l1_from_step=0), 4, 84),
    "retinanet": (RetinaNetMethod(strides=(16, 32)), 4, 180),
    "ssd": (SSDMethod(TINY), 4, len(SSDMethod(TINY).priors(SIZE, SIZE).boxes)),
}
# In pixels: a line, a point, less than a pixel, the whole image, beyond it, and twice the same.
THIN = np.float32(
    [
        [5, 5, 5, 40],
        [9, 9, 9, 9],
        [20, 20, 20.3, 20.6],
        [0, 0, 64, 64],
        [60, -5, 80, 30],
        [64, 64, 64, 64],
        [20, 20, 20.3, 20.6],
    ]
)


def gradients(name):
    """Returns a compiled function of (scale, objects) to (loss terms, their gradients)."""
    method, numbers, anchors = METHODS[name]
    priors = method.priors(SIZE, SIZE)
    objectness = None if name in ("yolov8", "retinanet", "ssd") else (2, anchors)
    # SSD predicts the background as well.
    outputs = CLASSES + (name == "ssd")

    def draw(scale):
        keys = jax.random.split(jax.random.key(0), 3)
        sizes = (2, anchors, numbers), (2, anchors, outputs), objectness
        return DetectorOutput(
            *(
                None if size is None else scale * jax.random.normal(key, size)
                for key, size in zip(keys, sizes, strict=True)
            )
        )

    @jax.jit
    def compute(scale, objects):
        def total(output):
            loss = method.loss(output, priors, objects, step=jnp.int32(0), key=jax.random.key(1))
            return sum(loss.terms.values()), (loss.terms, loss.logs)

        return jax.grad(total, has_aux=True)(draw(scale))

    return compute


@pytest.fixture(scope="module", params=quick(METHODS, "yolov1", "yolov2", "yolov8"))
def case(request):
    return request.param, gradients(request.param)


def objects(boxes, valid=True):
    boxes = np.broadcast_to(boxes, (2, *boxes.shape)).astype(np.float32)
    return Objects(boxes, np.zeros(boxes.shape[:2], np.int32), np.full(boxes.shape[:2], valid))


def finite(tree):
    return all(np.isfinite(x).all() for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0])
def test_thin_boxes_have_finite_losses(case, scale):
    _, compute = case
    assert finite(compute(scale, objects(THIN)))


def test_a_batch_without_objects_has_finite_losses_and_teaches_the_background(case):
    name, compute = case
    # Padding may hold anything, also what is no number.
    for boxes in (THIN, np.full_like(THIN, np.nan)):
        grads, (terms, logs) = compute(1.0, objects(boxes, valid=False))
        assert finite((grads, terms, logs)), name
        assert logs["matches_per_object"] == 0
    assert not np.any(terms.get("box", 0)) and not np.any(terms.get("center", 0))
    # SSD compares the background as three times the matches: none.
    scores = grads.class_logits if grads.objectness is None else grads.objectness
    assert np.any(np.asarray(scores) != 0) == (name != "ssd")


@pytest.mark.parametrize(
    ("model", "method", "message"),
    [
        (
            lambda: models.yolov2("yolov2_tiny", num_classes=3, anchors_per_cell=3),
            YOLOv2Method(COCO_ANCHORS),
            "anchors_per_cell must be 3, as the network has it, got 5",
        ),
        (
            lambda: models.retinanet("tiny", num_classes=3, strides=(8, 16, 32)),
            RetinaNetMethod(),
            r"strides must be \(8, 16, 32\), as the network has it, got \(8, 16, 32, 64, 128\)",
        ),
        (
            lambda: models.yolov1("yolov1_nano", num_classes=3),
            YOLOv1Method(),
            "stride must be 32, as the network has it, got 64",
        ),
        (
            lambda: models.yolov1("yolov1_nano", num_classes=3, boxes=3),
            YOLOv1Method(stride=32),
            "boxes must be 3, as the network has it, got 2",
        ),
        (
            lambda: models.ssd("ssd_tiny", num_classes=3),
            SSDMethod(SSD512),
            r"layout must be DefaultBoxes\(own_maps=.*, as the network has it",
        ),
    ],
)
def test_anchors_that_do_not_fit_the_network(model, method, message):
    with pytest.raises(ValueError, match=message):
        DenseDetection(model(), method, ("a", "b", "c"))
