"""Mirrored and scaled views of a batch, and several networks, predicted as one."""

import dataclasses

import jax
import numpy as np
import pytest
from bright import NAMES, bright
from painted import painted

from jaxvision import models
from jaxvision.data.augment.letterbox import Letterbox
from jaxvision.inference.classifier import Classifier
from jaxvision.inference.detector import Detector
from jaxvision.inference.ensemble import ensemble
from jaxvision.losses.detection.yolov1 import YOLOv1Method
from jaxvision.tasks.dense_detection import DenseDetection

SCALES = (1.0, 0.67, 1.33)
BOX = np.float32([10, 20, 30, 60])


def batch(side=96):
    """An image whose white rectangle is `BOX`, and one without any."""
    images = np.zeros((2, side, side, 3), np.uint8)
    x1, y1, x2, y2 = BOX.astype(int)
    images[0, y1:y2, x1:x2] = 255
    return {"image": images}


def predicted(task, variables=None):
    params = {} if variables is None else variables
    return jax.device_get(jax.jit(task.predict)(params, {}, batch(), key=jax.random.key(0)))


@pytest.mark.parametrize("nms", ["hard", "soft_linear", "soft_gaussian", "fusion"])
def test_boxes_of_all_views_are_joined(nms):
    task = dataclasses.replace(bright().task, nms=nms, flip=True, scales=SCALES, max_candidates=32)
    found = predicted(task)
    # 96 * 0.67 is 64.32, 96 * 1.33 is 127.68.
    assert task.model.shapes == [(2, side, side, 3) for side in (96, 96, 64, 64, 128, 128)]
    score = 1 / (1 + np.exp(-3))
    np.testing.assert_allclose(found.boxes[0, 0], BOX, atol=1)
    np.testing.assert_allclose(found.scores[0, 0], score, rtol=1e-5)
    assert found.scores[1].max() < 1e-3
    # Softly suppressed, the boxes of the other views keep a little; else one is left.
    rest = found.scores[0, 1:6]
    if nms.startswith("soft"):
        assert rest[0] < 0.2 and (nms == "soft_linear" or rest[1] > 0)
    else:
        assert rest.max() < 1e-3


def test_fusion_weighs_by_the_share_of_views_and_others_do_not():
    """The mirrored image of an image that is black on the left shows nothing to this network."""
    detector = painted((20, 15, 20, 10, 1, 0.9))
    images = np.zeros((1, 64, 64, 3), np.uint8)
    images[:, :, :32] = 9
    for nms, share in (("hard", 1.0), ("fusion", 0.5)):
        task = dataclasses.replace(detector.task, nms=nms, flip=True, max_candidates=32)
        predict = jax.jit(lambda x, task=task: task.predict({}, {}, x, key=jax.random.key(0)))
        found = jax.device_get(predict({"image": images}))
        np.testing.assert_allclose(found.scores[0, 0], 0.9 * share, rtol=1e-5)
        np.testing.assert_allclose(found.boxes[0, 0], [10, 10, 30, 20], rtol=1e-5)


def test_ensemble_joins_detectors_of_several_sizes():
    first, second = bright(96), bright(64)
    first.task = dataclasses.replace(first.task, max_candidates=32)
    both = ensemble([first, second])
    found = predicted(dataclasses.replace(both.task, nms="fusion"), both.variables["params"])
    assert first.task.model.shapes == [(2, 96, 96, 3)]
    assert second.task.model.shapes == [(2, 64, 64, 3)]
    np.testing.assert_allclose(found.boxes[0, 0], BOX, atol=1)
    assert found.scores[0, 0] > 0.9 and found.scores[0, 1] < 1e-3
    # As a detector of pictures, with views on the host besides.
    result = both.replaced(tta=True, nms="fusion")(batch()["image"][0])
    assert result.names == ["blob"]
    np.testing.assert_allclose(result.boxes[0], BOX, atol=2)


def test_what_is_no_ensemble():
    detector = bright()
    with pytest.raises(ValueError, match="of two detectors or more, got 1"):
        ensemble([detector])
    with pytest.raises(ValueError, match="must have the same classes, got blob, other and cat"):
        ensemble([detector, painted()])
    wide = Detector(detector.task, {"params": {}}, Letterbox((32, 64)))
    with pytest.raises(ValueError, match="must be of detectors of square images"):
        ensemble([detector, wide])
    with pytest.raises(ValueError, match="must be of detectors, got a classifier"):
        ensemble([detector, Classifier.__new__(Classifier)])
    with pytest.raises(ValueError, match="an ensemble is not trained"):
        ensemble([detector, bright()]).task.loss({}, {}, {}, step=0, key=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(nms="soft"), "nms must be one of hard, soft_linear, soft_gaussian, fusion, got soft"),
        (dict(metric="voc"), "metric must be one of coco, voc07, voc10, got voc"),
        (dict(scales=()), r"scales must be at least one number"),
        (dict(scales=(1.0, -1.0)), r"scales must be in \(0, 4\], got \(1.0, -1.0\)"),
        (dict(nms_sigma=0.0), "nms_sigma must be above 0, got 0.0"),
        (dict(fusion_threshold=2.0), r"fusion_threshold must be in \[0, 1\], got 2.0"),
    ],
)
def test_impossible_values_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(bright().task, **options)


def test_a_network_of_one_size_is_flipped_alone():
    model = models.yolov1("yolov1_nano", num_classes=2)
    task = DenseDetection(model, YOLOv1Method(stride=32), NAMES, flip=True)
    with pytest.raises(ValueError, match="takes images of one size, got"):
        dataclasses.replace(task, scales=(1.0, 0.5))
    detector = Detector(task, {"params": {}}, Letterbox((224, 224))).replaced(tta=True)
    assert (detector.task.flip, detector.task.scales) == (True, (1.0,))
    assert len(detector._views(np.zeros((50, 40, 3), np.uint8))) == 2


def test_windows_are_not_fused():
    for options in (dict(tile=64, nms="fusion"), dict(tile=64, tta=True, nms="fusion")):
        with pytest.raises(ValueError, match="nms=fusion needs views of the whole image"):
            bright().replaced(**options)
