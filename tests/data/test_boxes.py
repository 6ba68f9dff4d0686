import numpy as np

from jaxvision.data import boxes as boxes_of

RNG = np.random.default_rng


def test_iou_equals_that_of_painted_pixels():
    rng = RNG(0)
    corners = np.sort(rng.integers(0, 20, (30, 2, 2)), axis=1).reshape(-1, 4)
    painted = np.zeros((30, 20, 20), bool)
    for mask, (x1, y1, x2, y2) in zip(painted, corners, strict=True):
        mask[y1:y2, x1:x2] = True
    found = boxes_of.iou(corners[:, None].astype(float), corners[None].astype(float))
    shared = (painted[:, None] & painted[None]).sum((2, 3))
    union = (painted[:, None] | painted[None]).sum((2, 3))
    np.testing.assert_allclose(found, np.where(union, shared / np.maximum(union, 1), 0))
    rows = boxes_of.iou(corners.astype(np.float32), corners[::-1].astype(np.float32))
    np.testing.assert_allclose(rows, np.diag(found[:, ::-1]), rtol=1e-6)


def test_boxes_of_masks():
    masks = np.zeros((3, 6, 9), bool)
    masks[0, 2:4, 3:8] = True
    masks[2] = True
    boxes = boxes_of.of_masks(masks)
    assert boxes.tolist() == [[3, 2, 8, 4], [0, 0, 0, 0], [0, 0, 9, 6]]
    assert boxes.dtype == np.float32 and boxes_of.nonempty(boxes).tolist() == [True, False, True]
    assert boxes_of.of_masks(masks[:0]).shape == (0, 4)
    assert boxes_of.of_masks(np.zeros((2, 0, 5), bool)).tolist() == [[0] * 4] * 2
