"""The authors' outputs, losses, gradients and statistics, through the importer of their weights."""

import fill
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import quick
from flax import traverse_util
from reference import FORWARD, TRAINING, assert_agrees

from jaxvision import models, pretrained
from jaxvision.losses.detection.yolox import YOLOXMethod, decode_boxes
from jaxvision.models.detection.yolox import STRIDES, VARIANTS
from jaxvision.ops.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from jaxvision.ops.points import anchor_points
from jaxvision.pretrained.families import source
from jaxvision.tasks.dense_detection import DenseDetection

NEAR_TIE = 1, 10, 0  # image, object, and its left edge


def rgb(shape, seed, scale):
    """The reference's input as [B, H, W, 3] RGB."""
    return fill.image_batch(tuple(shape), seed, scale).transpose(0, 2, 3, 1)[..., ::-1]


@pytest.fixture(scope="module", params=quick(["yolox_nano", "yolox_s"], "yolox_nano"))
def case(request):
    return request.param, fill.load_case(request.param)


@pytest.fixture(scope="module")
def loaded(case):
    name, data = case
    return pretrained.load(name, fill.fill_state(data["spec"]))


def test_raw_and_decoded_predictions_match_reference(case, loaded):
    _, data = case
    model, variables = loaded
    images = rgb(data["input_shape"], 0, data["input_scale"])
    output, captured = jax.jit(
        lambda v, x: model.apply(
            v, x, train=False, capture_intermediates=lambda m, _: m.name == "neck"
        )
    )(variables, images)
    boxes, objectness, classes = np.split(data["raw"], [4, 5], axis=-1)
    assert_agrees(output.box_regression, boxes, FORWARD)
    assert_agrees(jax.nn.sigmoid(output.objectness), objectness[..., 0], FORWARD)
    assert_agrees(jax.nn.sigmoid(output.class_logits), classes, FORWARD)
    points = anchor_points(*images.shape[1:3], STRIDES)
    decoded = xyxy_to_cxcywh(decode_boxes(output.box_regression, points))
    assert_agrees(decoded, data["decoded"][..., :4], FORWARD)
    pyramid = captured["intermediates"]["neck"]["__call__"][0]
    for i, stride in enumerate(STRIDES):
        assert_agrees(pyramid[stride].mean((1, 2)), data[f"fpn{i}_mean"], FORWARD)


@pytest.mark.slow
def test_maps_larger_than_every_pooling_window_match_reference(case, loaded):
    _, data = case
    model, variables = loaded
    images = rgb(data["large_shape"], 2, data["input_scale"])
    output = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)
    boxes, objectness, classes = np.split(data["large_raw_stride32"], [4, 5], axis=-1)
    last = boxes.shape[1]
    assert_agrees(output.box_regression[:, -last:], boxes, FORWARD)
    assert_agrees(jax.nn.sigmoid(output.objectness[:, -last:]), objectness[..., 0], FORWARD)
    assert_agrees(jax.nn.sigmoid(output.class_logits[:, -last:]), classes, FORWARD)


def test_losses_gradients_and_statistics_match_reference(case, loaded):
    name, data = case
    model, variables = loaded
    labels = data["labels"]
    boxes = np.array(cxcywh_to_xyxy(jnp.asarray(labels[..., 1:])))
    if name == "yolox_nano":
        # A prediction's left edge is 0.0008 pixels right of its object's, as little as float32's
        # rounding moves it: on another processor the IoU's derivative is that of the other edge and
        # the gradient 0.17% different. At 0.02 pixels all agree; the gradient changes by 0.001%.
        boxes[NEAR_TIE] -= 0.02
    batch = {
        "image": rgb(data["input_shape"], 0, data["input_scale"]),
        "boxes": boxes,
        "classes": labels[..., 0].astype(np.int32),
        "valid": labels.sum(-1) > 0,
    }
    classes = tuple(str(i) for i in range(80))
    task = DenseDetection(model, YOLOXMethod(l1_from_step=0), class_names=classes)

    def objective(params):
        state = {"batch_stats": variables["batch_stats"]}
        loss = task.loss(params, state, batch, step=jnp.zeros((), int), key=jax.random.key(0))
        return loss.value, loss

    grads, loss = jax.jit(jax.grad(objective, has_aux=True))(variables["params"])
    assert_agrees(loss.value, data["total_loss"], TRAINING)
    for ours, theirs in {
        "box": "iou_loss",
        "objectness": "conf_loss",
        "classification": "cls_loss",
        "l1": "l1_loss",
        "matches_per_object": "num_fg",
    }.items():
        assert_agrees(loss.logs[ours], data[theirs], TRAINING)

    def by_reference_name(tree):
        flat = {"/".join(k): v for k, v in traverse_util.flatten_dict(tree).items()}
        return {source(name).reference_name(path): (path, v) for path, v in flat.items()}

    grads = by_reference_name(grads)
    stats = by_reference_name(loss.state["batch_stats"])
    checked = 0
    for key, theirs in data.items():
        kind, _, reference = key.partition(":")
        if kind == "grad":
            path, ours = grads[reference]
            assert_agrees(ours, source(name).layout_of(path).load(theirs), TRAINING)
        elif kind == "stat":
            assert_agrees(stats[reference][1], theirs, TRAINING)
        checked += kind in ("grad", "stat")
    assert checked == 8


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variable_has_a_reference_name_of_its_own(variant):
    model = models.yolox(variant, num_classes=4)
    images = jnp.zeros((1, 64, 64, 3))
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), images, train=False))
    paths = ["/".join(k[1:]) for k in traverse_util.flatten_dict(variables)]
    references = [source(variant).reference_name(path) for path in paths]
    assert len(set(references)) == len(paths)
    leaves = ("weight", "bias", "running_mean", "running_var")
    assert all(r.rsplit(".", 1)[1] in leaves for r in references)
    assert all(r.startswith(("backbone.", "head.")) for r in references)


def test_number_of_classes_is_read_off_the_weights(case):
    name, data = case
    state = fill.fill_state(data["spec"])
    for level in range(3):
        for leaf in ("weight", "bias"):
            key = f"head.cls_preds.{level}.{leaf}"
            state[key] = state[key][:7]
    model, variables = pretrained.load(name, state)
    assert model.num_classes == 7
    assert variables["params"]["head"]["stride8_class"]["kernel"].shape[-1] == 7


def test_weights_that_do_not_fit_are_listed_on_both_sides(case):
    name, data = case
    state = fill.fill_state(data["spec"])
    state["head.extra.weight"] = state.pop("head.stems.0.conv.weight")
    state["head.obj_preds.1.bias"] = np.zeros(3, np.float32)
    with pytest.raises(ValueError) as error:
        pretrained.load(name, state)
    message = str(error.value)
    assert "missing in the weights:\n  head.stems.0.conv.weight" in message
    assert "not used by the model:\n  head.extra.weight" in message
    assert "head.obj_preds.1.bias: expected (1,), got (3,)" in message


def test_unknown_model_is_an_error_that_names_those_spelt_alike():
    with pytest.raises(ValueError, match="must be one of yolox_.*, got yolox_q"):
        pretrained.load("yolox_q", {})
    with pytest.raises(ValueError, match="must be one of .*resnet50.*, got resnet5"):
        pretrained.load("resnet5", {})
