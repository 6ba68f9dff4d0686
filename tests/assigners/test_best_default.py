import fill
import jax
import jax.numpy as jnp
import numpy as np

from jaxvision.assigners.best_default import best_default
from jaxvision.ops.objects import Objects


def assign(boxes, gt_boxes, valid):
    objects = Objects(jnp.asarray(gt_boxes), jnp.zeros(len(gt_boxes), jnp.int32), valid)
    return jax.device_get(jax.jit(best_default)(boxes, objects))


def test_assignment_matches_reference():
    case = fill.load_case("ops_boxes")
    boxes, gt_boxes = case["match_anchors"], case["match_gt"]
    found = assign(boxes, gt_boxes, np.ones(len(gt_boxes), bool))
    np.testing.assert_array_equal(found.matched, case["matched_ssd"])
    # Padding changes nothing, wherever it stands and whatever it holds.
    padded = np.insert(gt_boxes, [0, 3, 3], boxes[:1], axis=0)
    valid = np.insert(np.ones(len(gt_boxes), bool), [0, 3, 3], False)
    number = np.cumsum(valid) - 1
    again = assign(boxes, padded, valid)
    matched = np.where(again.matched < 0, -1, number[again.matched])
    np.testing.assert_array_equal(matched, case["matched_ssd"])


def test_without_objects_all_is_background():
    boxes = np.float32([[0, 0, 4, 4], [2, 2, 6, 6]])
    found = assign(boxes, np.zeros((3, 4), np.float32), np.zeros(3, bool))
    np.testing.assert_array_equal(found.matched, [-1, -1])
    np.testing.assert_array_equal(found.iou, [0, 0])
