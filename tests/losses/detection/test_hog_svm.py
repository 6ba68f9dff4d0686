import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import apply, init

from jaxvision import models
from jaxvision.losses.detection.hog_svm import HOGSVMMethod
from jaxvision.models.detection.hog_svm import WindowScores, window_boxes
from jaxvision.ops.hog import hog
from jaxvision.ops.objects import Objects

PYRAMID = dict(cell=4, window=4, scales=(1.0, 0.5))


def test_each_score_is_the_plane_of_its_window():
    model = models.hog_svm("hog_svm", num_classes=2, **PYRAMID)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1, 32, 40, 3)).astype(np.float32)
    params = init(model, jax.random.key(0), images, train=False)["params"]
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), params)
    scores = np.asarray(apply(model, {"params": params}, images, train=False).class_logits)[0]
    boxes = HOGSVMMethod(**PYRAMID).priors(32, 40).boxes
    # 8 x 10 cells have 5 x 7 windows of 4, 4 x 5 cells have 1 x 2.
    assert scores.shape == (5 * 7 + 1 * 2, 2) and boxes.shape == (37, 4)
    all_blocks = np.asarray(jax.jit(lambda x: hog(jnp.sqrt(x / 255), cell=4))(images))[0]
    kernel, bias = (np.asarray(params["classify"][name]) for name in ("kernel", "bias"))
    for number in (0, 9, 34):
        x, y, right, bottom = boxes[number].astype(int)
        assert (right - x, bottom - y) == (16, 16)
        blocks = all_blocks[y // 4 : y // 4 + 3, x // 4 : x // 4 + 3]
        np.testing.assert_allclose(
            scores[number], np.tensordot(blocks, kernel, 3) + bias, rtol=1e-4, atol=1e-4
        )
    np.testing.assert_array_equal(boxes[35:], [[0, 0, 32, 32], [8, 0, 40, 32]])


def test_hinge_loss_of_objects_and_of_the_hardest_windows():
    method = HOGSVMMethod(**PYRAMID, negatives=2)
    windows = method.priors(32, 40)
    objects = Objects(
        jnp.array([[[0.0, 0.0, 16.0, 16.0], [0.0, 0.0, 0.0, 0.0]]]),
        jnp.array([[1, 0]]),
        jnp.array([[True, False]]),
    )
    # By rows: the window of the object, its neighbours at 4 pixels (IoU 0.6), far ones.
    scores = np.full((1, 37, 2), -2.0, np.float32)
    scores[0, 0] = [-1.5, 0.25]  # the object: hinge 0.75 for its class, 0 for the other
    scores[0, 1] = 5.0  # IoU 12 / 20 = 0.6: shows the object, too
    scores[0, 20] = [0.5, -0.5]  # 1.5 and 0.5
    scores[0, 30] = [-0.9, -3.0]  # 0.1
    key, step = jax.random.key(0), jnp.int32(0)
    loss = jax.jit(lambda *x: method.loss(x[0], windows, x[1], step=step, key=key))
    found = loss(WindowScores(jnp.asarray(scores)), objects)
    # Three windows show the object: itself, to the right and below, which scores -2.
    expected = (0.75 + (6.0 + 0.0) + (0.0 + 3.0) + (2.0 + 0.1)) / 3
    np.testing.assert_allclose(found.terms["classification"], expected, rtol=1e-5)
    assert float(found.logs["matches_per_object"]) == 3
    nothing = objects._replace(valid=jnp.zeros((1, 2), bool))
    empty = loss(WindowScores(jnp.asarray(scores)), nothing)
    # The two hardest: 6 + 6, and 1.5 + 0.5.
    np.testing.assert_allclose(empty.terms["classification"], 14.0, rtol=1e-5)


def test_best_windows_are_decoded():
    method = HOGSVMMethod(**PYRAMID, pre_nms=3)
    scores = np.zeros((1, 37, 2), np.float32)
    scores[0, 36, 1] = 1.0
    decode = jax.jit(lambda x: method.decode(x, method.priors(32, 40)))
    found = jax.tree.map(np.asarray, decode(WindowScores(scores)))
    np.testing.assert_array_equal(found.boxes[0, 0], [8, 0, 40, 32])
    assert found.classes[0, 0] == 1 and found.boxes.shape == (1, 3, 4)
    np.testing.assert_allclose(found.scores[0, 0], jax.nn.sigmoid(2.0), rtol=1e-6)


def test_wrong_values_are_errors():
    with pytest.raises(ValueError, match=r"at least 8 cells of 8 pixels on a side at some of"):
        window_boxes(32, 32, 8, 8, (1.0,))
    with pytest.raises(ValueError, match=r"negatives must be in .1, 1000., got nan"):
        HOGSVMMethod(negatives=float("nan"))
