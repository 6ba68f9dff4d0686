"""Terms and gradients of Darknet's layers in C, for given predictions."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from einops import rearrange
from reference import TRAINING, anchors_first, assert_agrees, raw

from jaxvision.assigners.best_anchor import best_anchor
from jaxvision.losses.detection.yolov1 import YOLOv1Method
from jaxvision.losses.detection.yolov2 import TINY_VOC_ANCHORS, YOLOv2Method
from jaxvision.losses.detection.yolov3 import YOLOv3Method
from jaxvision.losses.detection.yolov4 import YOLOv4Method
from jaxvision.models.detection.detector_output import DetectorOutput
from jaxvision.ops.boxes import cxcywh_to_xyxy
from jaxvision.ops.objects import Objects


def given(name, keys, height=None, width=None):
    """Returns a case, its predictions in our order, and its objects."""
    case = dict(np.load(fill.HERE / f"{name}.npz"))
    if height is None:
        height, width = map(int, case["image_hw"])
    maps = [rearrange(case[key], "b a c h w -> b (h w a) c") for key in keys]
    flat = np.concatenate(maps, axis=1)
    rows = case["objects"]
    scaled = rows[..., :4] * np.array([width, height] * 2, np.float32)
    valid = np.arange(rows.shape[1])[None] < case["object_count"][:, None]
    boxes = np.asarray(cxcywh_to_xyxy(jnp.asarray(scaled)))
    objects = Objects(boxes, rows[..., 4].astype(np.int32), valid)
    return (
        case,
        DetectorOutput(flat[..., :4], flat[..., 5:], flat[..., 4]),
        objects,
        (height, width),
    )


def of_method(method, output, objects, size, step):
    """Returns the terms as sums over the batch, minus their gradients, and the anchors."""
    anchors = method.priors(*size)

    def objective(output):
        loss = method.loss(output, anchors, objects, step=jnp.int32(step), key=jax.random.key(0))
        batch = output.box_regression.shape[0]
        return batch * sum(loss.terms.values()), {k: batch * v for k, v in loss.terms.items()}

    grads, terms = jax.jit(jax.grad(objective, has_aux=True))(output)
    return terms, -raw(grads), anchors


def test_terms_and_gradients_of_yolov1():
    case = dict(np.load(fill.HERE / "yolov1_loss.npz"))
    flat, rows = case["predictions"], case["objects"]
    batch = len(flat)
    scaled = rows[..., 1:] * np.float32([448] * 4)
    valid = np.arange(rows.shape[1])[None] < case["object_count"][:, None]
    boxes = np.asarray(cxcywh_to_xyxy(jnp.asarray(scaled)))
    objects = Objects(boxes, rows[..., 0].astype(np.int32), valid)
    method = YOLOv1Method()
    cells = method.priors(448, 448)

    def objective(flat):
        classes, confidences, codes = jnp.split(flat, [49 * 20, 49 * 22], axis=1)
        classes = jnp.repeat(classes.reshape(batch, 49, 20), 2, axis=1)
        output = DetectorOutput(codes.reshape(batch, 98, 4), classes, confidences)
        terms = method.loss(output, cells, objects, step=jnp.int32(0), key=None).terms
        return batch * sum(terms.values()), {k: batch * v for k, v in terms.items()}

    grads, terms = jax.jit(jax.grad(objective, has_aux=True))(jnp.asarray(flat))
    names = dict(center="xy", size="wh", objectness="object", background="noobject")
    for ours, theirs in (names | {"classification": "classes"}).items():
        assert_agrees(terms[ours], case[f"term_{theirs}"], TRAINING)
    assert_agrees(sum(terms.values()), case["loss"], TRAINING)
    assert_agrees(-grads / 2, case["delta"], TRAINING)


@pytest.mark.parametrize(("step", "suffix"), [(10**6, ""), (0, "_with_prior")])
def test_terms_and_gradients_of_yolov2(step, suffix):
    case, output, objects, size = given("yolov2_loss", ["raw"], 256, 320)
    terms, delta, anchors = of_method(YOLOv2Method(), output, objects, size, step)
    for ours, theirs in (("center", "xy"), ("size", "wh"), ("classification", "classes")):
        assert_agrees(terms[ours], case[f"term_{theirs}{suffix}"], TRAINING)
    np.testing.assert_allclose(terms["prior"], case[f"term_prior{suffix}"], rtol=TRAINING)
    objectness = case[f"term_object{suffix}"] + case[f"term_noobject{suffix}"]
    assert_agrees(terms["objectness"], objectness, TRAINING)
    assert_agrees(sum(terms.values()), case[f"loss{suffix}"], TRAINING)
    delta = anchors_first(delta, anchors.levels[0])
    theirs = case[f"delta{suffix}"].transpose(0, 1, 3, 4, 2)
    assert_agrees(delta[..., 2:4], theirs[..., 2:4], TRAINING)
    assert_agrees(delta[..., 5:], theirs[..., 5:], TRAINING)
    # The code leaves the slope of the sigmoid out.
    probability = 1 / (1 + np.exp(-case["raw"].transpose(0, 1, 3, 4, 2)))
    theirs = theirs * probability * (1 - probability)
    for part in (slice(0, 2), slice(4, 5)):
        assert_agrees(delta[..., part], theirs[..., part], TRAINING)


def test_terms_and_gradients_of_yolov3():
    case, output, objects, size = given("yolov3_loss", ["raw2", "raw1", "raw0"])
    terms, delta, anchors = of_method(YOLOv3Method(), output, objects, size, 0)
    for ours, theirs in (("center", "xy"), ("size", "wh"), ("classification", "classes")):
        assert_agrees(terms[ours], case[f"term_{theirs}"], TRAINING)
    assert_agrees(terms["objectness"], case["term_object"] + case["term_noobject"], TRAINING)
    assert_agrees(sum(terms.values()), case["loss"], TRAINING)
    for level, number in zip(anchors.levels, (2, 1, 0), strict=True):
        theirs = case[f"delta{number}"].transpose(0, 1, 3, 4, 2)
        assert_agrees(anchors_first(delta, level), theirs, TRAINING)


def test_pairs_terms_and_gradients_of_yolov4():
    method = YOLOv4Method()
    case, output, objects, size = given("yolov4_loss", ["raw0", "raw1", "raw2"])
    terms, delta, anchors = of_method(method, output, objects, size, 0)
    assert_agrees(terms["box"], 0.07 * case["ciou_loss_sum"], TRAINING)
    for ours, parts in (("objectness", ("object", "noobject")), ("classification", ("classes",))):
        theirs = sum(case[f"term_{part}{k}"] for part in parts for k in range(3))
        assert_agrees(terms[ours], theirs, TRAINING)
    slots = jax.jit(lambda x: method.assign(anchors, x))(objects)
    overlap = jax.jit(lambda x: method.pair_overlaps(x, anchors, objects, slots))(output)
    slots, overlap = jax.tree.map(np.asarray, (slots, overlap))
    for k, level in enumerate(anchors.levels):
        pairs = {}
        for image, number, shape in np.argwhere(np.asarray(slots.valid)):
            if shape // 3 == k:
                cell, anchor = divmod(int(slots.anchor[image, number, shape]) - level.start, 3)
                pair = (int(image), int(number), anchor, *divmod(cell, level.columns))
                pairs[pair] = float(overlap[image, number, shape])
        theirs = dict(
            zip(map(tuple, case[f"pairs{k}"].tolist()), case[f"pair_ciou{k}"], strict=True)
        )
        assert pairs.keys() == theirs.keys()
        for pair, value in theirs.items():
            np.testing.assert_allclose(pairs[pair], value, atol=1e-4)
        # The boxes' are no gradients there.
        theirs = case[f"delta{k}"].transpose(0, 1, 3, 4, 2)
        assert_agrees(anchors_first(delta, level)[..., 4:], theirs[..., 4:], TRAINING)


METHODS = {
    "yolov2": YOLOv2Method(anchors=TINY_VOC_ANCHORS),
    "yolov3": YOLOv3Method(),
    "yolov4": YOLOv4Method(),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("scale", [0.0, 300.0])
def test_losses_are_finite_at_extremes_and_without_objects(name, scale):
    method, size = METHODS[name], (64, 96)
    count = len(method.priors(*size).sizes)
    rng = np.random.default_rng(0)
    values = scale * rng.standard_normal((2, count, 8)).astype(np.float32)
    output = DetectorOutput(values[..., :4], values[..., 5:], values[..., 4])
    boxes = np.zeros((2, 3, 4), np.float32)
    boxes[0] = [[3, 4, 40, 50], [3, 4, 3.5, 50], [0, 0, 96, 64]]
    objects = Objects(boxes, np.zeros((2, 3), np.int32), boxes[..., 2] > 0)
    terms, delta, _ = of_method(method, output, objects, size, 0)
    assert np.isfinite(delta).all() and all(np.isfinite(v) for v in terms.values())
    empty = objects._replace(valid=np.zeros((2, 3), bool))
    terms, delta, _ = of_method(method, output, empty, size, 10**6)
    assert np.isfinite(delta).all() and terms["classification"] == 0


@pytest.mark.parametrize("name", METHODS)
def test_a_decoded_object_is_the_one_coded(name):
    method, size = METHODS[name], (64, 96)
    anchors = method.priors(*size)
    box = np.float32([10, 20, 40, 50])
    objects = Objects(box[None], np.int32([1]), np.array([True]))
    slots = jax.tree.map(np.asarray, jax.jit(lambda x: best_anchor(x, anchors))(objects))
    (shape,) = np.flatnonzero(slots.valid[0])
    slot = int(slots.anchor[0, shape])
    place, log_size = np.split(np.asarray(slots.box[0, shape]), 2)
    scale = getattr(method, "center_scales", (1.0,) * 3)[shape // method.anchors_per_cell]
    place = (place + (scale - 1) / 2) / scale
    values = np.full((1, len(anchors.sizes), 8), -9.0, np.float32)
    values[0, slot] = [*np.log(place / (1 - place)), *log_size, 9, -9, 9, -9]
    output = DetectorOutput(values[..., :4], values[..., 5:], values[..., 4])
    found = jax.tree.map(np.asarray, jax.jit(lambda x: method.decode(x, anchors))(output))
    assert found.classes[0, 0] == 1 and found.scores[0, 0] > 0.99 > 0.01 > found.scores[0, 1]
    np.testing.assert_allclose(found.boxes[0, 0], box, atol=1e-3)


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        (YOLOv2Method, dict(ignore_iou=2.0), r"ignore_iou must be in \[0, 1\], got 2.0"),
        (YOLOv3Method, dict(strides=(8, 16)), "anchors must be those of 2 maps, got 3"),
        (YOLOv3Method, dict(box_weight=float("nan")), "box_weight must be at least 0, got nan"),
        (YOLOv4Method, dict(center_scales=(1.0,)), "center_scales must be 3 numbers"),
        (YOLOv4Method, dict(label_smoothing=-1), "label_smoothing must be in"),
        (YOLOv2Method, dict(anchors=(((0, 1),),)), "an anchor must be a width and a height"),
    ],
)
def test_numbers_out_of_range(method, changes, message):
    with pytest.raises(ValueError, match=message):
        method(**changes)
