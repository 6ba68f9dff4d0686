import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvision.assigners import simota as module
from jaxvision.assigners.simota import class_cost, dynamic_k_match, in_center_region
from jaxvision.ops.boxes import cxcywh_to_xyxy
from jaxvision.ops.objects import Objects
from jaxvision.ops.points import AnchorPoints, anchor_points

# One program is compiled more quickly than its operations one by one.
simota = jax.jit(module.simota, static_argnames=("center_radius", "candidates"))
PARITY = pathlib.Path(__file__).parents[1] / "parity"
PAPER = dict(center_radius=2.5, candidates="box_or_center")


@functools.cache
def assign_batch(center_radius=1.5, candidates="center"):
    options = dict(center_radius=center_radius, candidates=candidates)
    return jax.jit(jax.vmap(functools.partial(simota, **options), in_axes=(0, 0, 0, None, 0)))


@pytest.mark.parametrize(
    ("case", "options"),
    [("simota_a", {}), ("simota_crowded", {}), ("simota_grid", {}), ("simota_paper", PAPER)],
)
def test_assignment_equals_reference(case, options):
    with np.load(PARITY / f"{case}.npz") as data:
        data = dict(data)
    points = anchor_points(*(int(x) for x in data["image_hw"]), (8, 16, 32))
    labels = data["labels"]
    result = assign_batch(**options)(
        cxcywh_to_xyxy(jnp.asarray(data["boxes_cxcywh"])),
        data["cls_logits"],
        data["obj_logits"][..., 0],
        points,
        Objects(
            cxcywh_to_xyxy(jnp.asarray(labels[..., 1:])),
            labels[..., 0].astype(np.int32),
            labels.sum(-1) > 0,
        ),
    )
    np.testing.assert_array_equal(result.matched, data["matched_gt"])
    np.testing.assert_allclose(result.iou, data["matched_iou"], atol=1e-5)
    assert not result.ignored.any()


def brute_force(boxes, classes, objectness, points, objects, *, iou_weight=3.0, top_k=10):
    """The assignment by the paper's text, one object and one anchor at a time, in float32.

    Returns None where rounding decides: two costs, or a sum of IoUs and an integer, too close.
    """
    points, strides = points
    gt_boxes, gt_classes, gt_valid, _ = objects
    objects, anchors = np.flatnonzero(gt_valid), range(len(boxes))
    matched, own_iou = np.full(len(boxes), -1), np.zeros(len(boxes))
    center = {n: (gt_boxes[n, :2] + gt_boxes[n, 2:]) / 2 for n in objects}
    inside = {
        (n, a): bool((np.abs(points[a] - center[n]) < 1.5 * strides[a]).all())
        for n in objects
        for a in anchors
    }
    candidates = [a for a in anchors if any(inside[n, a] for n in objects)]
    if not candidates:
        return matched, own_iou

    def iou(a, b):
        size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        shared = size.prod() if (size > 0).all() else 0.0
        return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x.astype(np.float64)))

    cost, overlap = {}, {}
    for a in candidates:
        p = np.sqrt(sigmoid(classes[a]) * sigmoid(objectness[a : a + 1]))
        for n in objects:
            target = np.arange(len(p)) == gt_classes[n]
            bce = -np.where(target, np.log(p), np.log1p(-p)).sum()
            overlap[n, a] = iou(gt_boxes[n], boxes[a])
            near = bce - iou_weight * np.log(overlap[n, a] + 1e-8)
            cost[n, a] = np.float32(near) + np.float32(0 if inside[n, a] else 1e6)
    claims = {a: [] for a in candidates}
    for n in objects:
        best = sorted((overlap[n, a] for a in candidates), reverse=True)[:top_k]
        if abs(sum(best) - round(sum(best))) < 1e-5:
            return None
        k = max(int(sum(best)), 1)
        order = sorted(candidates, key=lambda a: (cost[n, a], a))
        if len(order) > k and abs(cost[n, order[k]] - cost[n, order[k - 1]]) < 1e-4:
            return None
        for a in order[:k]:
            claims[a].append(n)
    for a, claimants in claims.items():
        if len(claimants) > 1:
            by_cost = sorted(objects, key=lambda n: (cost[n, a], n))
            if cost[by_cost[1], a] - cost[by_cost[0], a] < 1e-4:
                return None
            claimants = by_cost[:1]
        if claimants:
            matched[a], own_iou[a] = claimants[0], overlap[claimants[0], a]
    return matched, own_iou


def random_image(rng, objects, slots, num_classes=4, side=128):
    points = anchor_points(side, side, (8, 16, 32))
    anchors = len(points.strides)
    center = rng.uniform(0, side, (slots, 2))
    size = rng.uniform(8, 70, (slots, 2))
    gt_boxes = np.concatenate([center - size / 2, center + size / 2], -1).clip(0, side)
    valid = np.zeros(slots, bool)
    valid[rng.permutation(slots)[:objects]] = True  # anywhere, not only in front
    gt_boxes[~valid] = 0
    middle = points.centers + rng.normal(0, 6, (anchors, 2))
    extent = rng.uniform(8, 70, (anchors, 2))
    boxes = np.concatenate([middle - extent / 2, middle + extent / 2], -1)
    classes = rng.integers(0, num_classes, slots).astype(np.int32)
    return [
        boxes.astype(np.float32),
        rng.normal(-1, 2, (anchors, num_classes)).astype(np.float32),
        rng.normal(-1, 2, anchors).astype(np.float32),
        points,
        Objects(gt_boxes.astype(np.float32), classes, valid),
    ]


@pytest.mark.parametrize("objects", [0, 1, 2, 7, 20])
def test_assignment_equals_brute_force(objects):
    assign = simota
    compared = 0
    for seed in range(8):
        image = random_image(np.random.default_rng([objects, seed]), objects, slots=24)
        expected = brute_force(*image)
        if expected is None:
            continue
        result = assign(*image)
        np.testing.assert_array_equal(result.matched, expected[0])
        np.testing.assert_allclose(result.iou, expected[1], atol=1e-5)
        compared += 1
    assert compared >= 3


def test_weight_of_the_overlap_and_number_of_overlaps_equal_brute_force():
    options = dict(iou_weight=1.0, top_k=4)
    assign, plain = jax.jit(functools.partial(module.simota, **options)), simota
    compared, differences = 0, 0
    for seed in range(8):
        image = random_image(np.random.default_rng(seed), 7, slots=24)
        expected = brute_force(*image, **options)
        if expected is None:
            continue
        result = assign(*image)
        np.testing.assert_array_equal(result.matched, expected[0])
        differences += (result.matched != plain(*image).matched).sum()
        compared += 1
    assert compared >= 3
    assert differences > 0


def test_no_object_leaves_every_anchor_background():
    image = random_image(np.random.default_rng(0), 0, slots=120)
    result = simota(*image)
    assert (np.asarray(result.matched) == -1).all()
    assert (np.asarray(result.iou) == 0).all()


def test_padding_objects_never_match_and_change_nothing():
    *predictions, objects = random_image(np.random.default_rng(1), 5, slots=120)
    result = simota(*predictions, objects)
    valid = objects.valid
    assert set(np.unique(result.matched)) <= {-1, *np.flatnonzero(valid)}
    # The same objects without padding, in the same order.
    packed = simota(*predictions, Objects(*(x[valid] for x in objects[:3])))
    renumber = np.append(np.flatnonzero(valid), -1)
    np.testing.assert_array_equal(renumber[np.asarray(packed.matched)], result.matched)


def test_padding_with_a_box_in_it_is_still_padding():
    *predictions, objects = random_image(np.random.default_rng(1), 5, slots=20)
    garbage = np.where(objects.valid[:, None], objects.boxes, np.float32([10, 10, 90, 90]))
    result = simota(*predictions, objects)
    poisoned = simota(*predictions, objects._replace(boxes=garbage))
    np.testing.assert_array_equal(result.matched, poisoned.matched)


def test_120_objects():
    image = random_image(np.random.default_rng(2), 120, slots=120, side=256)
    matched = np.asarray(simota(*image).matched)
    assert len(matched) == 32 * 32 + 16 * 16 + 8 * 8
    assert 60 < len(np.unique(matched[matched >= 0])) <= 120


def test_of_equal_objects_the_first_gets_the_anchors():
    *predictions, one = random_image(np.random.default_rng(3), 1, slots=1)
    two = Objects(*(np.concatenate([x, x]) for x in one[:3]))
    np.testing.assert_array_equal(
        simota(*predictions, two).matched, simota(*predictions, one).matched
    )


def test_center_region_excludes_its_border():
    points = np.float32([[4, 4], [12, 4], [16, 4], [16.01, 4], [-8, 4], [-7.99, 4]])
    box = np.float32([[0, 0, 8, 8]])
    cells = AnchorPoints(points, np.full(6, 8.0, np.float32))
    inside = in_center_region(cells, box, 1.5)
    np.testing.assert_array_equal(inside, [[True, True, False, False, False, True]])


def test_conflict_goes_to_the_cheapest_object_even_if_it_did_not_claim_the_anchor():
    # Objects 1 and 2 take anchor 0. Object 0 has cheaper anchors, but is the cheapest for 0.
    cost = jnp.float32([[1.0, 0.1, 0.2], [3.0, 9.0, 9.0], [2.0, 9.0, 9.0]])
    iou = jnp.float32([[0.4, 0.4, 0.4], [0.5, 0.0, 0.0], [0.5, 0.0, 0.0]])
    np.testing.assert_array_equal(dynamic_k_match(cost, iou), [0, 0, -1])


def test_k_is_the_truncated_sum_of_the_ten_best_overlaps_and_at_least_one():
    cost, match = np.arange(12, dtype=np.float32)[None], jax.jit(dynamic_k_match)

    def matches(overlaps):
        iou = np.zeros((1, 12), np.float32)
        iou[0, : len(overlaps)] = overlaps
        return (np.asarray(match(cost, iou)) >= 0).sum()

    assert matches([0.9, 0.9, 0.19]) == 1
    assert matches([0.9, 0.9, 0.25]) == 2
    assert matches([0.0]) == 1
    assert matches([0.55] * 12) == 5  # ten of them: 5.5


def test_logarithms_of_saturated_scores_are_cut_at_minus_100():
    logits = jnp.float32([[200.0, -200.0, 0.0]])
    cost = class_cost(logits, jnp.float32([200.0]), jnp.arange(3))
    # Class 0 certain, class 1 impossible, class 2 with p = sqrt(1/2).
    p = np.sqrt(0.5)
    not_2 = -np.log1p(-p)
    expected = [0 + 0 + not_2, 100 + 100 + not_2, 100 + 0 - np.log(p)]
    np.testing.assert_allclose(cost[:, 0], expected, rtol=1e-5)


def test_assignment_with_saturated_predictions_is_finite():
    image = random_image(np.random.default_rng(4), 6, slots=8)
    image[1] = image[1] * 1e4
    image[2] = image[2] * 1e4
    image[0][::3] = 0  # predictions without area
    result = simota(*image)
    assert np.isfinite(result.iou).all()
    assert len(np.unique(result.matched)) > 2


def test_no_gradient_flows_through_the_assignment():
    image = random_image(np.random.default_rng(5), 3, slots=4)
    grad = jax.jit(jax.grad(lambda boxes: simota(boxes, *image[1:]).iou.sum()))(
        jnp.asarray(image[0])
    )
    assert (np.asarray(grad) == 0).all()


def test_unknown_candidates_are_an_error():
    image = random_image(np.random.default_rng(0), 1, slots=1)
    with pytest.raises(ValueError, match="candidates must be one of center, box_or_center, got b"):
        simota(*image, candidates="box")


def test_penalties_are_those_of_the_two_versions():
    assert module.PENALTY == {"center": 1e6, "box_or_center": 1e5}
