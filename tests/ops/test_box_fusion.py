import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.ops.box_fusion import fuse_boxes
from jaxvision.ops.nms import Candidates


def fuse(boxes, scores, classes, **options):
    return jax.jit(functools.partial(fuse_boxes, **options))(
        Candidates(*map(jnp.asarray, (boxes, scores, classes)))
    )


def iou(a, b):
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = size.prod() if (size > 0).all() else 0.0
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def section_3(boxes, scores, classes, models, threshold, least, class_aware):
    """Solovyev et al., section 3, with lists: fused boxes, scores and classes, best first."""
    clusters, means = [], []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < least:
            break
        overlaps = [
            iou(mean, boxes[i]) if not class_aware or classes[i] == classes[members[0]] else -1
            for mean, members in zip(means, clusters, strict=True)
        ]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] > threshold:
            clusters[best].append(i)
        else:
            clusters.append([i])
            means.append(None)
            best = len(means) - 1
        members = clusters[best]
        means[best] = (boxes[members] * scores[members, None]).sum(0) / scores[members].sum()
    found = [
        (scores[members].mean() * min(len(members), models) / models, mean, classes[members[0]])
        for members, mean in zip(clusters, means, strict=True)
    ]
    return sorted((each for each in found if each[0] >= least), key=lambda each: -each[0])


@pytest.mark.parametrize("class_aware", [True, False])
@pytest.mark.parametrize("models", [1, 3])
def test_equals_the_papers_algorithm(models, class_aware):
    rng = np.random.default_rng(models)
    low = rng.uniform(0, 40, (25, 2))
    true = np.concatenate([low, low + rng.uniform(10, 50, (25, 2))], -1)
    boxes = (np.tile(true, (4, 1)) + rng.normal(0, 2, (100, 4))).astype(np.float32)
    scores = rng.random(100).astype(np.float32)
    classes = np.tile(rng.integers(0, 3, 25), 4).astype(np.int32)
    exact = boxes.astype(np.float64), scores.astype(np.float64)
    expected = section_3(*exact, classes, models, 0.5, 0.1, class_aware)[:40]
    result = fuse(
        boxes,
        scores,
        classes,
        models=models,
        iou_threshold=0.5,
        score_threshold=0.1,
        max_detections=40,
        class_aware=class_aware,
    )
    count = len(expected)
    assert int(result.valid.sum()) == count > 15 and not result.valid[count:].any()
    np.testing.assert_allclose(result.scores[:count], [each[0] for each in expected], rtol=1e-5)
    np.testing.assert_allclose(result.boxes[:count], [each[1] for each in expected], atol=1e-3)
    np.testing.assert_array_equal(result.classes[:count], [each[2] for each in expected])


def test_two_models_by_hand():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60]])
    image = boxes, np.float32([0.3, 0.9, 0.6, 0.4]), np.int32([1, 0, 0, 0])
    result = fuse(*image, models=2)
    # Boxes of two models, weighted 3 to 2; of one model, with half of its score, also where its
    # class is another.
    np.testing.assert_allclose(result.scores, [0.75, 0.2, 0.15, 0], atol=1e-6)
    np.testing.assert_allclose(result.boxes[0], [0, 0, 10, 0.6 * 10 + 0.4 * 8], rtol=1e-6)
    np.testing.assert_array_equal(result.classes, [0, 0, 1, 0])
    np.testing.assert_array_equal(result.valid, [True, True, True, False])


def test_there_must_be_a_model():
    with pytest.raises(ValueError, match="models must be at least 1, got 0"):
        fuse(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, int), models=0)
