import fill
import numpy as np
import pytest

from jaxvision.metrics.generated_sets import frechet_distance, inception_score, precision_recall


@pytest.fixture(scope="module")
def case():
    return fill.load_case("generative_metrics")


def test_frechet_distance_matches_reference(case):
    one, other = case["features_a"], case["features_b"]
    assert frechet_distance(one, other) == pytest.approx(float(case["frechet"]), rel=1e-9)
    # With fewer images than features, a covariance has no inverse.
    few = frechet_distance(one[:20], other)
    assert few == pytest.approx(float(case["frechet_first20"]), rel=1e-6)
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-6)


def test_inception_score_is_the_mean_over_parts(case):
    found = inception_score(case["probabilities"], splits=3)
    assert found == pytest.approx(float(case["inception_score"]), rel=1e-9)
    # One class for all: 1; each its own and sure of it: their number.
    assert inception_score(np.tile([[1.0, 0.0]], (4, 1)), 1) == pytest.approx(1.0)
    assert inception_score(np.eye(5), 1) == pytest.approx(5.0)


def test_precision_and_recall_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    # All within the first group: precise, and half of the real images are near none of them.
    generated = np.array([[0.5], [1.0], [1.5]])
    assert precision_recall(real, generated, k=1) == (1.0, 1 / 6 + 1 / 3)
    far = np.array([[100.0], [101.0]])
    assert precision_recall(real, far, k=1) == (0.0, 0.0)


def test_wrong_sets_are_errors():
    with pytest.raises(ValueError, match="at least 4 images, got 3 and 9"):
        precision_recall(np.zeros((3, 2)), np.zeros((9, 2)))
    with pytest.raises(ValueError, match=r"got shapes \(3, 2\) and \(3, 4\)"):
        frechet_distance(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="between 1 and the 4 images, got 10"):
        inception_score(np.full((4, 2), 0.5))
