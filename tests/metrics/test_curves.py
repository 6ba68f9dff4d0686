import numpy as np
import pytest

from jaxvision.metrics.curves import Ranked, calibration


def draws(count=30):
    rng = np.random.default_rng(0)
    for _ in range(count):
        n = int(rng.integers(2, 40))
        truth = rng.random(n) < rng.uniform(0.2, 0.8)
        # Few different scores: many ties.
        yield truth, rng.integers(0, int(rng.integers(2, 20)), n).astype(np.float32)


def test_area_is_the_share_of_pairs_in_order():
    for truth, scores in draws():
        pairs = [(p > n) + 0.5 * (p == n) for p in scores[truth] for n in scores[~truth]]
        expected = np.mean(pairs) if pairs else np.nan
        np.testing.assert_allclose(Ranked.of(truth, scores).auc(), expected, atol=1e-12)


def test_average_precision_by_brute_force():
    for truth, scores in draws():
        total, recall = 0.0, 0.0
        for threshold in sorted(set(scores.tolist()), reverse=True):
            chosen = scores >= threshold
            if truth.any():
                new = truth[chosen].sum() / truth.sum()
                total += (new - recall) * truth[chosen].mean()
                recall = new
        expected = total if truth.any() else np.nan
        np.testing.assert_allclose(
            Ranked.of(truth, scores).average_precision(), expected, atol=1e-12
        )


def test_curves_by_hand():
    truth = np.array([True, False, True, False])
    scores = np.float32([0.9, 0.8, 0.8, 0.1])
    ranked = Ranked.of(truth, scores)
    roc = ranked.roc()
    np.testing.assert_allclose(roc.x, [0, 0, 0.5, 1])
    np.testing.assert_allclose(roc.y, [0, 0.5, 1, 1])
    curve = ranked.precision_recall()
    np.testing.assert_allclose(curve.x, [0.5, 1, 1])
    np.testing.assert_allclose(curve.y, [1, 2 / 3, 0.5])


@pytest.mark.parametrize(
    ("truth", "scores", "auc", "average_precision"),
    [
        ([True, True], [0.1, 0.2], np.nan, 1.0),
        ([False, False], [0.1, 0.2], np.nan, np.nan),
        ([True, False], [0.1, np.nan], np.nan, np.nan),
        ([], [], np.nan, np.nan),
    ],
)
def test_undefined_areas_are_nan(truth, scores, auc, average_precision):
    ranked = Ranked.of(np.array(truth, bool), np.float32(scores))
    np.testing.assert_array_equal(ranked.auc(), auc)
    np.testing.assert_array_equal(ranked.average_precision(), average_precision)
    assert not ranked.has_both
    assert np.isnan(ranked.roc().x).all()


def test_calibration_by_brute_force():
    rng = np.random.default_rng(0)
    confidence = np.concatenate([rng.random(200), np.arange(16) / 15])
    right = rng.random(216) < 0.6
    expected = 0.0
    for m in range(1, 16):
        chosen = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if m == 1:
            chosen |= confidence == 0
        if chosen.any():
            expected += chosen.sum() * abs(right[chosen].mean() - confidence[chosen].mean())
    found = calibration(confidence, right)
    assert found.count.sum() == 216
    assert found.error == pytest.approx(expected / 216)


def test_perfectly_calibrated_and_quite_wrong():
    assert calibration(np.ones(5), np.ones(5)).error == 0
    assert calibration(np.ones(5), np.zeros(5)).error == 1
    assert calibration(np.full(4, 0.75), np.array([1, 1, 1, 0])).error == 0
