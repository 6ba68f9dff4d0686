import numpy as np
import pytest

from jaxvision.metrics.classification import Classification
from jaxvision.metrics.multi_label import MultiLabel

NAMES = ("a", "b", "c", "d", "e", "f", "g")
K = len(NAMES)


def predictions(n=83, seed=0):
    """Probabilities rounded so that ties occur; class g has no image, class f is never chosen."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, K)) * 2
    logits[:, 5] -= 20
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    probabilities = np.round(probabilities, 2).astype(np.float32)
    labels = rng.integers(0, K - 1, n).astype(np.int32)
    return probabilities, labels


def batched(kind, probabilities, truth, key, size=10):
    """Evaluates in batches of `size`; the padded one comes in the middle."""
    n = len(probabilities)
    metric = kind.empty()
    *starts, last = range(0, n, size)
    starts.insert(len(starts) // 2, last)
    for start in starts:
        rows = np.arange(start, start + size)
        real = rows < n
        rows = np.minimum(rows, n - 1)
        batch = {key: truth[rows], "index": rows.astype(np.int32), "mask": real}
        # Padding rows have wild values, which must not count.
        shown = np.where(real[:, None], probabilities[rows], 1.0)
        one = kind.from_model_output(probabilities=shown, batch=batch, class_names=NAMES)
        metric = metric.merge(one)
    return metric


@pytest.fixture(scope="module")
def single():
    probabilities, labels = predictions()
    return probabilities, labels, batched(Classification, probabilities, labels, "label")


def test_accuracies_by_brute_force(single):
    probabilities, labels, metric = single
    found = metric.compute()
    first = five = 0
    for row, label in zip(probabilities, labels, strict=True):
        order = sorted(range(K), key=lambda k, row=row: (-row[k], k))
        first += order[0] == label
        five += label in order[:5]
    assert found["accuracy"] == pytest.approx(first / len(labels))
    assert found["top5"] == pytest.approx(five / len(labels))
    own = probabilities[np.arange(len(labels)), labels]
    likelihood = np.maximum(own, np.finfo(np.float32).tiny)
    assert found["nll"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-5)


def test_precision_recall_and_f1_by_brute_force(single):
    probabilities, labels, metric = single
    chosen = probabilities.argmax(1)
    found = metric.compute()
    scores = {"precision": [], "recall": [], "f1": []}
    for k, name in enumerate(NAMES):
        hits = sum((c == k) and (t == k) for c, t in zip(chosen, labels, strict=True))
        wrong = sum((c == k) and (t != k) for c, t in zip(chosen, labels, strict=True))
        missed = sum((c != k) and (t == k) for c, t in zip(chosen, labels, strict=True))
        if name == "g":
            assert all(np.isnan(found[f"{s}/g"]) for s in scores)
            continue
        precision = hits / (hits + wrong) if hits + wrong else 0.0
        recall = hits / (hits + missed)
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        for s, value in (("precision", precision), ("recall", recall), ("f1", f1)):
            assert found[f"{s}/{name}"] == pytest.approx(value)
            scores[s].append(value)
    assert found["precision/f"] == 0
    for s, values in scores.items():
        assert found[s] == pytest.approx(np.mean(values))


def test_confusion_counts_true_by_predicted(single):
    probabilities, labels, metric = single
    expected = np.zeros((K, K), int)
    for row, label in zip(probabilities, labels, strict=True):
        expected[label, int(row.argmax())] += 1
    np.testing.assert_array_equal(metric.confusion(), expected)


def test_area_below_the_curve_is_of_one_class_against_the_rest(single):
    probabilities, labels, metric = single
    found = metric.compute()
    areas = []
    for k in range(K - 1):
        own, other = probabilities[labels == k, k], probabilities[labels != k, k]
        areas.append(np.mean([(p > n) + 0.5 * (p == n) for p in own for n in other]))
        assert found[f"auc/{NAMES[k]}"] == pytest.approx(areas[-1])
    assert found["auc"] == pytest.approx(np.mean(areas))


def test_order_and_padding_of_batches_do_not_matter(single):
    probabilities, labels, metric = single
    whole = batched(Classification, probabilities, labels, "label", size=len(labels)).compute()
    found = metric.compute()
    assert found.keys() == whole.keys()
    np.testing.assert_array_equal(list(found.values()), list(whole.values()))


def test_calibration_error_by_hand():
    probabilities = np.float32([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6]])
    batch = {"label": np.int32([0, 1, 1]), "index": np.arange(3), "mask": np.ones(3, bool)}
    metric = Classification.from_model_output(
        probabilities=probabilities, batch=batch, class_names=("a", "b")
    )
    found = metric.compute()
    # At 0.8 half are right, at 0.6 all: 2/3 * 0.3 + 1/3 * 0.4.
    assert found["ece"] == pytest.approx(2 / 3 * 0.3 + 1 / 3 * 0.4, rel=1e-5)
    assert "top5" not in found


def test_many_classes_have_no_values_of_their_own():
    probabilities = np.full((2, 101), 1 / 101, np.float32)
    batch = {"label": np.int32([0, 100]), "index": np.arange(2), "mask": np.ones(2, bool)}
    names = [f"n{i}" for i in range(101)]
    metric = Classification.from_model_output(
        probabilities=probabilities, batch=batch, class_names=names
    )
    assert not any("/" in name for name in metric.compute())


def test_multi_label_by_brute_force():
    rng = np.random.default_rng(1)
    probabilities = np.round(rng.random((57, K)), 2).astype(np.float32)
    truth = (rng.random((57, K)) < 0.3).astype(np.float32)
    truth[:, 6] = 0
    found = batched(MultiLabel, probabilities, truth, "targets").compute()
    aps, f1s = [], []
    for k in range(K - 1):
        total, recall, positive = 0.0, 0.0, truth[:, k] > 0
        for threshold in sorted(set(probabilities[:, k].tolist()), reverse=True):
            chosen = probabilities[:, k] >= np.float32(threshold)
            new = positive[chosen].sum() / positive.sum()
            total, recall = total + (new - recall) * positive[chosen].mean(), new
        aps.append(total)
        assert found[f"average_precision/{NAMES[k]}"] == pytest.approx(total)
        chosen = probabilities[:, k] >= 0.5
        f1s.append(2 * (chosen & positive).sum() / (chosen.sum() + positive.sum()))
    assert found["mAP"] == pytest.approx(np.mean(aps))
    assert found["f1"] == pytest.approx(np.mean(f1s))
    all_right = ((probabilities >= 0.5) == (truth > 0)).all(1).mean()
    assert found["subset_accuracy"] == pytest.approx(all_right)
    assert np.isnan(found["recall/g"])


def test_faults():
    probabilities, labels = predictions(4)
    batch = {"label": labels, "index": np.arange(4), "mask": np.ones(4, bool)}

    def measure(changes=None, names=NAMES):
        return Classification.from_model_output(
            probabilities=probabilities, batch=batch | (changes or {}), class_names=names
        )

    with pytest.raises(ValueError, match="got 2 twice"):
        measure().merge(measure({"index": np.array([7, 8, 9, 2])})).compute()
    with pytest.raises(ValueError, match=r"labels must be in \[0, 7\), got 0 to 7"):
        measure({"label": np.array([0, 7, 1, 1])})
    with pytest.raises(ValueError, match="class_names must be 7 different names, got 2"):
        measure(names=("a", "b"))
    with pytest.raises(ValueError, match="class_names must be the same"):
        measure().merge(measure(names=tuple("hijklmn")))
    with pytest.raises(ValueError, match="it has no targets, mask"):
        MultiLabel.from_model_output(
            probabilities=probabilities, batch={"index": np.arange(4)}, class_names=NAMES
        )
    with pytest.raises(ValueError, match="one or more batches, got none"):
        Classification.empty().compute()
