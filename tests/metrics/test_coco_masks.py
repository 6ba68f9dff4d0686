import fill
import numpy as np
import pytest

from jaxvision.data.batch import MaskTruth
from jaxvision.data.segmentations import run_lengths as runs
from jaxvision.metrics.coco import ImageRecord, evaluated
from jaxvision.metrics.coco_masks import COCOMasks

NAMES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
NAMES += ("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")


def test_values_of_masks_and_boxes_equal_pycocotools():
    case = fill.load_case("coco_mask_ap")
    height, width = case["image_hw"]

    def masks(kind):
        return np.unpackbits(case[f"{kind}_masks_packed"], axis=-1)[..., :width].astype(bool)

    def boxes(found):
        result = np.zeros((len(found), 4))
        for row, mask in zip(result, found, strict=True):
            ys, xs = np.nonzero(mask)
            if len(ys):
                row[:] = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        return result

    true, detected = masks("gt"), masks("dt")
    xywh = case["gt_bbox_xywh"]
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    records, segmentations = [], []
    for index in range(int(case["images"])):
        objects, found = case["gt_image"] == index, case["dt_image"] == index
        records.append(
            ImageRecord(
                index,
                boxes(detected[found]),
                case["dt_score"][found],
                case["dt_class"][found] - 1,
                corners[objects],
                case["gt_class"][objects] - 1,
                case["gt_crowd"][objects].astype(bool),
                case["gt_area"][objects],
            )
        )
        segmentations.append((runs(detected[found]), runs(true[objects])))
    assert runs(true[:1])[0]["counts"].decode() in str(case["rle_first_gt"])
    names = [str(k) for k in range(int(case["classes"]))]
    for kind, given in (("segm", segmentations), ("bbox", None)):
        values = evaluated(records, names, given)
        ours = [values[name] for name in NAMES]
        theirs = np.where(case[f"stats_{kind}"] < 0, np.nan, case[f"stats_{kind}"])
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
        by_class = [values[f"AP50/{name}"] for name in names]
        np.testing.assert_allclose(by_class, case[f"ap50_by_class_{kind}"], atol=1e-9)


def batch_of(*truth):
    count = len(truth)
    return dict(
        boxes=np.tile(np.array([10, 10, 30, 30], np.float32), (count, 1, 1)),
        classes=np.zeros((count, 1), np.int32),
        valid=np.ones((count, 1), bool),
        crowd=np.zeros((count, 1), bool),
        area=np.full((count, 1), 100, np.float32),
        scale=np.full(count, 2.0, np.float32),
        mask=np.ones(count, bool),
        index=np.arange(count),
        truth=list(truth),
    )


def measured(batch, masks):
    count = len(batch["index"])
    return COCOMasks.from_model_output(
        boxes=batch["boxes"],
        scores=np.ones((count, 1)),
        classes=batch["classes"],
        valid=batch["valid"],
        masks=masks,
        batch=batch,
        class_names=("thing",),
    )


def test_masks_are_compared_in_pixels_of_the_original_image():
    # The input is twice the image's size: a box of 10 x 10 pixels, whose left half is the object.
    mask = np.zeros((40, 50), bool)
    mask[5:15, 5:10] = True
    truth = MaskTruth((40, 50), runs(mask[None]))
    half = np.zeros((1, 1, 28, 28), np.float32)
    half[..., :14] = 1
    right = measured(batch_of(truth), half)
    values = right.compute()
    assert values["AP"] == values["mask_AP50"] == 1
    other = measured(batch_of(truth), half[..., ::-1]).compute()
    assert (other["AP"], other["mask_AP50"]) == (1, 0)


def test_batches_are_merged():
    mask = np.zeros((40, 50), bool)
    mask[5:15, 5:15] = True
    batch = batch_of(MaskTruth((40, 50), runs(mask[None])))
    full = np.ones((1, 1, 28, 28), np.float32)
    first, second = measured(batch, full), measured({**batch, "index": [1]}, 0 * full)
    assert COCOMasks.empty().merge(first).compute()["mask_AP50"] == 1
    assert first.merge(second).compute()["mask_AP50"] == pytest.approx(51 / 101)


def test_a_batch_without_masks_is_an_error():
    batch = batch_of(None)
    del batch["truth"]
    with pytest.raises(ValueError, match="must be an evaluation batch with masks"):
        measured(batch, np.ones((1, 1, 28, 28)))
