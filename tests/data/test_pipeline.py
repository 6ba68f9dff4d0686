import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.faults import FaultLog
from jaxvision.data.pipeline import EvalStream, TrainStream

LENGTH = 23


def _sample(index, rng):
    return {"index": np.asarray(index, np.int32), "noise": rng.random(3)}


def _stream(sample=_sample, length=LENGTH, **changes):
    options = {"batch_size": 4, "seed": 0, "num_workers": 0} | changes
    return TrainStream(sample, length, **options)


def _take(stream, count, start_step=0):
    return list(itertools.islice(stream.batches(start_step), count))


def _assert_same(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes()


@pytest.mark.parametrize("num_workers", [1, 4])
def test_workers_do_not_change_the_stream(num_workers):
    _assert_same(_take(_stream(), 13), _take(_stream(num_workers=num_workers), 13))


@pytest.mark.parametrize("num_workers", [0, 4])
@pytest.mark.parametrize("start_step", [1, 5, 6, 12])
def test_a_resumed_stream_continues(start_step, num_workers):
    straight = _take(_stream(), 16)
    resumed = _take(_stream(num_workers=num_workers), 16 - start_step, start_step)
    _assert_same(straight[start_step:], resumed)


def test_every_epoch_is_another_permutation_without_the_remainder():
    stream = _stream()
    assert stream.steps_per_epoch == 5
    batches = _take(stream, 15)
    epochs = [np.concatenate([b["index"] for b in batches[i : i + 5]]) for i in (0, 5, 10)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 20 and set(epoch.tolist()) <= set(range(LENGTH))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_an_index_draws_new_randomness_every_epoch():
    stream = _stream(length=4)
    noise = {int(b["index"][i]): [] for b in _take(stream, 1) for i in range(4)}
    for batch in _take(stream, 3):
        for index, value in zip(batch["index"], batch["noise"][:, 0], strict=True):
            noise[int(index)].append(float(value))
    assert all(len(set(values)) == 3 for values in noise.values())


def _late(index, rng):
    return {"index": np.asarray(index, np.int32), "noise": np.full(3, 2.0)}


@pytest.mark.parametrize("num_workers", [0, 1, 4])
@pytest.mark.parametrize("start", [0, 6, 7, 8])
def test_a_schedule_changes_samples_at_its_step_and_not_their_order(num_workers, start):
    plain = _take(_stream(), 12)
    changed = _stream(num_workers=num_workers, schedule=lambda step: _sample if step < 7 else _late)
    batches = _take(changed, 12 - start, start)
    for step, batch in enumerate(batches, start):
        assert (batch["index"] == plain[step]["index"]).all()
        assert (batch["noise"] == (plain[step]["noise"] if step < 7 else 2.0)).all()


@pytest.mark.parametrize("num_workers", [0, 4])
def test_weights_draw_each_example_as_often_as_its_share(num_workers):
    weights = np.zeros(LENGTH)
    weights[[2, 5, 22]] = 1, 2, 7
    stream = _stream(weights=weights, num_workers=num_workers, batch_size=23)
    for batch in _take(stream, 6):
        counts = np.bincount(batch["index"], minlength=LENGTH)
        # 23 examples an epoch: 2.3, 4.6 and 16.1 of them.
        assert (np.abs(counts - 23 * weights / 10) < 1 + 1e-9).all()
    counts = sum(np.bincount(b["index"], minlength=LENGTH) for b in _take(stream, 300))
    np.testing.assert_allclose(counts / 300, 23 * weights / 10, atol=0.15)


def test_equal_weights_hold_every_example_once_an_epoch():
    (batch,) = _take(_stream(weights=np.full(LENGTH, 0.1), batch_size=LENGTH), 1)
    assert sorted(batch["index"].tolist()) == list(range(LENGTH))


def test_a_resumed_stream_with_weights_continues():
    weights = np.arange(1, LENGTH + 1)
    straight = _take(_stream(weights=weights), 9)
    _assert_same(straight[4:], _take(_stream(weights=weights, num_workers=3), 5, start_step=4))


def test_a_batch_shows_each_example_as_often_as_repeats_says_never_twice_in_a_row():
    batches = _take(_stream(batch_size=8, repeats=3), 4)
    for batch in batches:
        index = batch["index"].tolist()
        assert sorted(map(index.count, set(index))) == [2, 3, 3]
        assert all(a != b for a, b in itertools.pairwise(index))
        assert len(np.unique(batch["noise"])) == 24
    # An epoch is two batches of three examples each.
    first, second, third, _ = (set(b["index"].tolist()) for b in batches)
    assert not first & second and first != third


def test_a_resumed_stream_of_repeats_continues():
    _assert_same(_take(_stream(repeats=2), 9)[4:], _take(_stream(repeats=2), 5, 4))


@pytest.mark.parametrize(
    "weights", [np.ones(3), np.zeros(LENGTH), np.full(LENGTH, np.nan), np.full(LENGTH, -1.0)]
)
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="weights must be"):
        _stream(weights=weights)


def _unreadable(*faulty):
    def sample(index, rng):
        rng.random()
        if index in faulty:
            raise DataError(f"{index}.jpg: truncated")
        return _sample(index, rng)

    return sample


@pytest.mark.parametrize("num_workers", [1, 4])
def test_another_example_takes_the_place_of_a_faulty_one(num_workers):
    def read(workers, start=0):
        faults = FaultLog()
        stream = _stream(_unreadable(7, 8), num_workers=workers, on_fault=faults)
        return _take(stream, 11 - start, start), faults

    batches, faults = read(0)
    _assert_same(batches, read(num_workers)[0])
    _assert_same(batches[4:], read(num_workers, 4)[0])
    plain = _take(_stream(_unreadable()), 11)
    replaced = 0
    for one, two in zip(batches, plain, strict=True):
        assert not {7, 8} & set(one["index"].tolist())
        same = ~np.isin(two["index"], (7, 8))
        replaced += int((~same).sum())
        assert (one["index"][same] == two["index"][same]).all()
        assert (one["noise"][same] == two["noise"][same]).all()
    assert replaced >= 3
    assert "for one of 2 faults" in faults.report()


def test_a_dataset_without_a_readable_example_stops():
    stream = _stream(_unreadable(*range(LENGTH)), on_fault=FaultLog())
    with pytest.raises(DataError, match=r"20 examples in a row .* The last: \d+\.jpg: truncated"):
        _take(stream, 1)


def test_seeds_give_other_streams():
    one, two = _take(_stream(), 5), _take(_stream(seed=1), 5)
    assert any((a["index"] != b["index"]).any() for a, b in zip(one, two, strict=True))
    assert (one[0]["noise"] != two[0]["noise"]).all()


def test_without_workers_the_calling_thread_reads():
    threads = set()

    def sample(index, rng):
        threads.add(threading.current_thread())
        return _sample(index, rng)

    _take(_stream(sample), 2)
    assert threads == {threading.current_thread()}
    threads.clear()
    _take(_stream(sample, num_workers=2), 2)
    assert threading.current_thread() not in threads


def test_prefetching_is_bounded():
    read = []

    def sample(index, rng):
        read.append(index)
        return _sample(index, rng)

    batches = _stream(sample, num_workers=2, prefetch=3).batches()
    next(batches)
    threading.Event().wait(0.2)
    batches.close()
    assert len(read) <= (1 + 3) * 4


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_fault_in_a_sample_reaches_the_caller(num_workers):
    def sample(index, rng):
        if index == 7:
            raise DataError("seven.jpg: truncated")
        return _sample(index, rng)

    batches = _stream(sample, num_workers=num_workers).batches()
    with pytest.raises(DataError, match=r"seven\.jpg: truncated"):
        for _ in range(20):
            next(batches)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_closing_stops_the_threads(num_workers):
    before = set(threading.enumerate())
    batches = _stream(num_workers=num_workers).batches()
    next(batches)
    workers = set(threading.enumerate()) - before
    assert bool(workers) == bool(num_workers)
    batches.close()
    for worker in workers:
        worker.join(timeout=5)
    assert not any(worker.is_alive() for worker in workers)


def test_an_open_stream_does_not_keep_the_process():
    code = """
import numpy as np
from jaxvision.data.pipeline import TrainStream
batches = TrainStream(
    lambda index, rng: {"a": np.zeros(3)}, 8, batch_size=2, seed=0, num_workers=4
).batches()
next(batches)
"""
    result = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True)
    assert result.returncode == 0 and not result.stderr


def test_a_dataset_smaller_than_a_batch():
    with pytest.raises(DataError, match="3 images, fewer than one batch of 4"):
        _stream(length=3)
    assert _stream(length=4).steps_per_epoch == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, "num_workers must be at least 0, got -1"),
        ({"prefetch": 0}, "prefetch must be at least 1, got 0"),
        ({"seed": -1}, "seed must be in"),
        ({"repeats": 0}, "repeats must be at least 1, got 0"),
    ],
)
def test_bad_numbers(change, words):
    with pytest.raises(ValueError, match=words):
        _stream(**change)


def test_negative_start():
    with pytest.raises(ValueError, match="start_step"):
        _stream().batches(-1)


def _eval_sample(index):
    return {"index": np.asarray(index, np.int32), "image": np.full((2, 2), index + 1, np.uint8)}


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_evaluation_is_in_order_and_padded(num_workers):
    stream = EvalStream(_eval_sample, 10, batch_size=4, num_workers=num_workers)
    batches = list(stream)
    assert len(stream) == len(batches) == 3
    mask = np.concatenate([batch["mask"] for batch in batches])
    index = np.concatenate([batch["index"] for batch in batches])
    image = np.concatenate([batch["image"] for batch in batches])
    assert mask.dtype == bool and mask.tolist() == [True] * 10 + [False] * 2
    assert index[mask].tolist() == list(range(10))
    assert image.shape == (12, 2, 2) and (image[~mask] == 0).all()
    assert (image[mask, 0, 0] == np.arange(10) + 1).all()


def test_a_full_last_batch_is_not_padded():
    batches = list(EvalStream(_eval_sample, 8, batch_size=4, num_workers=0))
    assert len(batches) == 2 and all(batch["mask"].all() for batch in batches)


def test_evaluation_can_be_repeated():
    stream = EvalStream(_eval_sample, 5, batch_size=2, num_workers=2)
    _assert_same(list(stream), list(stream))


def test_an_empty_evaluation_split():
    with pytest.raises(DataError, match="no images"):
        EvalStream(_eval_sample, 0, batch_size=4, num_workers=0)


def test_a_fault_in_an_evaluation_sample_reaches_the_caller():
    def sample(index):
        raise DataError("broken.jpg")

    with pytest.raises(DataError, match=r"broken\.jpg"):
        list(EvalStream(sample, 4, batch_size=2, num_workers=2))


def test_faulty_evaluation_samples_are_masked():
    def sample(index):
        if index in (1, 4, 5, 6, 7):
            raise DataError(f"{index}.jpg")
        return _eval_sample(index)

    faults = FaultLog()
    batches = list(EvalStream(sample, 10, batch_size=4, num_workers=2, on_fault=faults))
    # Of the second batch nothing is left.
    assert [batch["mask"].tolist() for batch in batches] == [
        [True, True, True, False],
        [True, True, False, False],
    ]
    assert batches[0]["index"].tolist() == [0, 2, 3, 0]
    assert batches[1]["index"].tolist() == [8, 9, 0, 0]
    assert faults.report().startswith("5 times an example was left out for one of 5 faults")


def test_a_batch_never_mixes_groups():
    def sample(index):
        return {"image": np.full((index % 3 + 1, 2), index)}

    groups = [range(i, 11, 3) for i in range(3)]
    stream = EvalStream(sample, 11, batch_size=3, num_workers=2, groups=groups)
    batches = list(stream)
    assert len(batches) == len(stream) == 5
    seen = []
    for batch in batches:
        assert batch["image"].shape == (3, int(batch["image"][0, 0, 0]) % 3 + 1, 2)
        seen += batch["image"][batch["mask"], 0, 0].tolist()
    assert sorted(seen) == list(range(11))


@pytest.mark.parametrize("groups", [[[0, 1]], [[0, 1, 2], [2]], [[0, 1, 3]]])
def test_groups_hold_every_index_once(groups):
    with pytest.raises(ValueError, match="each of the 3 indices once"):
        EvalStream(_eval_sample, 3, batch_size=2, num_workers=0, groups=groups)
