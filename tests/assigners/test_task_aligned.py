"""Task-aligned assignment against loops over objects and anchors."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.assigners.task_aligned import task_aligned
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import anchor_points


def ciou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    sides = [(x[2] - x[0], x[3] - x[1]) for x in (a, b)]
    overlap = shared / (sides[0][0] * sides[0][1] + sides[1][0] * sides[1][1] - shared)
    hull = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    shift = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    angles = [math.atan(width / height) for width, height in sides]
    aspect = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    weight = aspect / (1 - overlap + aspect) if aspect else 0
    distance = (shift[0] ** 2 + shift[1] ** 2) / (hull[0] ** 2 + hull[1] ** 2)
    return overlap - distance - weight * aspect


def by_loops(boxes, probabilities, points, gt_boxes, classes, valid, top_k=10):
    overlap = np.zeros((len(gt_boxes), len(boxes)))
    metric = np.zeros_like(overlap)
    for n, gt in enumerate(gt_boxes):
        for a, (x, y) in enumerate(points.centers):
            if valid[n] and gt[0] < x < gt[2] and gt[1] < y < gt[3]:
                overlap[n, a] = max(ciou(gt, boxes[a]), 0)
                metric[n, a] = probabilities[a, classes[n]] ** 0.5 * overlap[n, a] ** 6
    taken = np.zeros(overlap.shape, bool)
    for n in range(len(gt_boxes)):
        best = np.argsort(-metric[n], kind="stable")[:top_k]
        taken[n, best] = metric[n, best] > 0
    matched = np.full(len(boxes), -1)
    for a in range(len(boxes)):
        owners = np.flatnonzero(taken[:, a])
        if len(owners) == 1:
            matched[a] = owners[0]
        elif len(owners) > 1:
            matched[a] = overlap[:, a].argmax()
    score = np.zeros(len(boxes))
    for n in range(len(gt_boxes)):
        own = np.flatnonzero(matched == n)
        if len(own):
            score[own] = metric[n, own] * overlap[n, own].max() / metric[n, own].max()
    return matched, score


@pytest.mark.parametrize("seed", range(4))
def test_equals_loops(seed):
    rng = np.random.default_rng(seed)
    points = anchor_points(64, 96, (8, 16))
    corners = rng.uniform(0, 40, (6, 2))
    gt_boxes = np.concatenate([corners, corners + rng.uniform(15, 50, (6, 2))], 1).astype(
        np.float32
    )
    classes, valid = rng.integers(0, 3, 6), np.array([True, False, True, True, True, False])
    # Predictions are objects, moved; several for one anchor point overlap.
    owner = rng.integers(0, 6, len(points.centers))
    boxes = (gt_boxes[owner] + rng.normal(0, 2, (len(owner), 4))).astype(np.float32)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    probabilities = rng.uniform(0.01, 1, (len(owner), 3)).astype(np.float32)
    objects = Objects(gt_boxes, classes.astype(np.int32), valid)
    found = jax.jit(task_aligned)(boxes, probabilities, points, objects)
    matched, score = by_loops(boxes, probabilities, points, gt_boxes, classes, valid)
    assert (matched >= 0).sum() >= 10
    np.testing.assert_array_equal(found.matched, matched)
    np.testing.assert_allclose(found.score, score, rtol=1e-3, atol=1e-5)


def test_padding_objects_match_nothing_and_no_gradient_flows_back():
    points = anchor_points(32, 32, (8,))
    objects = Objects(np.float32([[0, 0, 32, 32]]), np.int32([0]), np.array([False]))
    boxes = jnp.broadcast_to(jnp.float32([0, 0, 32, 32])[None], (16, 4))
    found = task_aligned(boxes, jnp.ones((16, 1)), points, objects)
    assert (found.matched == -1).all() and (found.score == 0).all()
    objects = objects._replace(valid=np.array([True]))

    def total(boxes):
        return task_aligned(boxes, jnp.ones((16, 1)), points, objects).score.sum()

    assert total(boxes) > 0 and (jax.jit(jax.grad(total))(boxes) == 0).all()
