import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from jaxvision.data.errors import DataError, FaultLog, drop
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.plan import Rows
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream

LENGTH = 23


def _example(index, rng):
    return {"index": np.asarray(index, np.int32), "noise": rng.random(3)}


def _stream(example=_example, length=LENGTH, *, batch_size=4, weights=None, repeats=1, **options):
    return Stream(Shuffled(length, batch_size, weights, repeats), example, **options)


def _take(stream, count, start_step=0):
    return list(itertools.islice(stream.batches(start_step), count))


def _assert_same(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            if name == "truth":
                assert a[name] == b[name]
            else:
                assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes()


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_workers_do_not_change_the_stream(num_workers):
    _assert_same(_take(_stream(), 13), _take(_stream(num_workers=num_workers), 13))


@pytest.mark.parametrize("num_workers", [0, 3])
@pytest.mark.parametrize("start_step", [1, 5, 6, 12])
def test_a_resumed_stream_continues(start_step, num_workers):
    straight = _take(_stream(), 16)
    resumed = _take(_stream(num_workers=num_workers), 16 - start_step, start_step)
    _assert_same(straight[start_step:], resumed)


def test_every_epoch_is_another_permutation_without_the_remainder():
    stream = _stream()
    assert stream.steps_per_epoch == len(stream) == 5
    batches = _take(stream, 15)
    epochs = [np.concatenate([b["index"] for b in batches[i : i + 5]]) for i in (0, 5, 10)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 20 and set(epoch.tolist()) <= set(range(LENGTH))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_iterating_yields_the_first_epoch_once():
    _assert_same(list(_stream(num_workers=2)), _take(_stream(), 5))


def test_an_index_draws_new_randomness_every_epoch():
    stream = _stream(length=4)
    noise = {int(b["index"][i]): [] for b in _take(stream, 1) for i in range(4)}
    for batch in _take(stream, 3):
        for index, value in zip(batch["index"], batch["noise"][:, 0], strict=True):
            noise[int(index)].append(float(value))
    assert all(len(set(values)) == 3 for values in noise.values())


def _late(index, rng):
    return {"index": np.asarray(index, np.int32), "noise": np.full(3, 2.0)}


@pytest.mark.parametrize("num_workers", [0, 1, 3])
@pytest.mark.parametrize("start", [0, 6, 7, 8])
def test_a_schedule_changes_examples_at_its_step_and_not_their_order(num_workers, start):
    plain = _take(_stream(), 12)
    changed = _stream(
        num_workers=num_workers, schedule=lambda step: _example if step < 7 else _late
    )
    batches = _take(changed, 12 - start, start)
    for step, batch in enumerate(batches, start):
        assert (batch["index"] == plain[step]["index"]).all()
        assert (batch["noise"] == (plain[step]["noise"] if step < 7 else 2.0)).all()


@pytest.mark.parametrize("num_workers", [0, 3])
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


def test_repeats_of_weighted_examples_are_repeats():
    (batch,) = _take(_stream(batch_size=8, repeats=4, weights=np.ones(LENGTH)), 1)
    index = batch["index"].tolist()
    assert sorted(map(index.count, set(index))) == [4, 4]


@pytest.mark.parametrize(
    "weights", [np.ones(3), np.zeros(LENGTH), np.full(LENGTH, np.nan), np.full(LENGTH, -1.0)]
)
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="weights must be"):
        _stream(weights=weights)


def _unreadable(*faulty):
    def example(index, rng):
        rng.random()
        if index in faulty:
            raise DataError(f"{index}.jpg: truncated")
        return _example(index, rng)

    return example


@pytest.mark.parametrize("num_workers", [1, 3])
def test_another_example_takes_the_place_of_a_faulty_one(num_workers):
    def read(workers, start=0):
        faults = FaultLog()
        stream = _stream(_unreadable(7, 8), num_workers=workers, on_fault=faults)
        batches = _take(stream, 11 - start, start)
        return batches, faults.report(), stream

    batches, told, stream = read(0)
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
    assert "2 different faults" in told
    assert stream.faults() == told and stream.faults() == ""


def test_an_example_of_weight_zero_takes_no_place():
    weights = np.arange(LENGTH) < 3
    stream = _stream(_unreadable(1), weights=weights, batch_size=LENGTH, on_fault=drop)
    assert {int(i) for b in _take(stream, 9) for i in b["index"]} == {0, 2}


def test_a_dataset_without_a_readable_example_stops():
    stream = _stream(_unreadable(*range(LENGTH)), on_fault=drop)
    with pytest.raises(DataError, match=r"20 examples in a row .* The last: \d+\.jpg: truncated"):
        _take(stream, 1)


def test_seeds_give_other_streams():
    one, two = _take(_stream(), 5), _take(_stream(seed=1), 5)
    assert any((a["index"] != b["index"]).any() for a, b in zip(one, two, strict=True))
    assert (one[0]["noise"] != two[0]["noise"]).all()


def test_no_two_generators_are_alike():
    # Those of examples among each other, and those of the plans.
    drawn = []

    class Plan(Shuffled):
        def __call__(self, epoch, rng):
            drawn.append(rng.bit_generator.state["state"]["state"])
            return super().__call__(epoch, rng)

    def example(index, rng):
        drawn.append(rng.bit_generator.state["state"]["state"])
        return _example(index, rng)

    _take(Stream(Plan(LENGTH, 4), example), 30)
    assert len(set(drawn)) == len(drawn) == 30 * 4 + 6


def test_without_workers_the_calling_thread_reads():
    threads = set()

    def example(index, rng):
        threads.add(threading.current_thread())
        return _example(index, rng)

    _take(_stream(example), 2)
    assert threads == {threading.current_thread()}
    threads.clear()
    _take(_stream(example, num_workers=2), 2)
    assert threading.current_thread() not in threads


def test_prefetching_is_bounded():
    read = []

    def example(index, rng):
        read.append(index)
        return _example(index, rng)

    batches = _stream(example, num_workers=2, prefetch=3).batches()
    next(batches)
    threading.Event().wait(0.2)
    batches.close()
    assert len(read) <= (1 + 3) * 4


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_fault_in_an_example_reaches_the_caller(num_workers):
    batches = _stream(_unreadable(7), num_workers=num_workers).batches()
    with pytest.raises(DataError, match=r"7\.jpg: truncated"):
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
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream
batches = Stream(
    Shuffled(8, 2), lambda index, rng: {"a": np.zeros(3)}, num_workers=4
).batches()
next(batches)
"""
    result = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True)
    assert result.returncode == 0 and not result.stderr


def test_a_dataset_smaller_than_a_batch():
    with pytest.raises(DataError, match="3 examples, fewer than one batch of 4"):
        _stream(length=3)
    assert _stream(length=4).steps_per_epoch == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, r"num_workers must be in \[0, 1024\], got -1"),
        ({"prefetch": 0}, r"prefetch must be in \[1, 1024\], got 0"),
        ({"seed": -1}, "seed must be in"),
        ({"seed": 2**32}, "seed must be in"),
        ({"repeats": 0}, r"repeats must be in \[1, 4\], got 0"),
        ({"example": None, "schedule": lambda step: _late}, "schedule replaces example"),
    ],
)
def test_bad_numbers(change, words):
    with pytest.raises(ValueError, match=words):
        _stream(**change)


def test_negative_start():
    with pytest.raises(ValueError, match="start_step"):
        _stream().batches(-1)


class _Groups:
    """Two rows of up to two examples in a batch."""

    masked = False

    def __init__(self, epochs):
        self._epochs = epochs

    def __len__(self):
        return 2

    def __call__(self, epoch, rng):
        return [Rows(np.array(index), (9,)) for index in self._epochs[epoch]]


def test_examples_share_rows_and_collate_sees_the_plan():
    seen = []

    def collate(examples, rows):
        seen.append((examples, rows.shape))
        return {"count": np.array([len(row) for row in examples])}

    plan = _Groups([[[[0, 1], [2, -1]], [[-1, -1], [3, 4]]]])
    batches = list(Stream(plan, lambda index, rng: f"example {index}", collate))
    assert [batch["count"].tolist() for batch in batches] == [[2, 1], [0, 2]]
    assert seen[0] == ([["example 0", "example 1"], ["example 2"]], (9,))


def test_collate_may_look_up_the_examples():
    plan = _Groups([[[[0, 1], [2, -1]], [[-1, -1], [3, 4]]]])
    batches = list(Stream(plan, None, lambda examples, rows: {"index": np.array(examples)}))
    assert batches[1]["index"].tolist() == [[-1, -1], [3, 4]]


def test_rows_of_nothing_are_none_without_a_mask():
    plan = _Groups([[[0, -1], [1, 2]]])
    first, _ = Stream(plan, lambda index, rng: index, lambda examples, rows: {"x": examples})
    assert first == {"x": [0, None]}


def test_a_batch_of_a_shape_replaces_faulty_examples_by_its_own():
    def example(index, rng):
        if index == 0:
            raise DataError("0.jpg")
        return {"index": np.asarray(index)}

    plan = _Groups([[[0, 1], [2, 3]]])
    assert next(iter(Stream(plan, example, on_fault=drop)))["index"].tolist() == [1, 1]


def test_a_plan_without_batches_is_an_error():
    class Nothing(_Groups):
        def __len__(self):
            return 0

    with pytest.raises(ValueError, match="at least one batch in an epoch, got none"):
        Stream(Nothing([]), _example)


def test_epochs_of_different_lengths_are_an_error():
    stream = Stream(_Groups([[[0], [1]], [[0]]]), _example)
    with pytest.raises(ValueError, match="as many batches in every epoch, 2, got 1 in epoch 1"):
        _take(stream, 3)


def test_devices_cut_the_first_axis_unless_told_otherwise():
    stream = _stream(axes={"edges": None, "tokens": 1}, name=lambda index: f"{index}.jpg")
    assert [stream.axis(key) for key in ("image", "tokens", "edges", "truth")] == [0, 1, None, None]
    batch = {"truth": list("abc"), "edges": np.zeros((2, 9)), "tokens": np.zeros((7, 5))}
    assert stream.rows(batch) == 5
    assert stream.rows({"image": np.zeros((4, 3)), **batch}) == 4
    # A graph without batch axis is one example.
    assert stream.rows({"edges": np.zeros((2, 9))}) == 1
    assert stream.name(3) == "3.jpg"


def _eval_example(index, rng):
    return {
        "index": np.asarray(index, np.int32),
        "image": np.full((2, 2), index + 1, np.uint8),
        "truth": f"reference {index}",
    }


def _eval_stream(example=_eval_example, length=10, batch_size=4, groups=None, **options):
    return Stream(InOrder(length, batch_size, groups), example, **options)


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_evaluation_is_in_order_and_padded(num_workers):
    stream = _eval_stream(num_workers=num_workers)
    batches = list(stream)
    assert len(stream) == len(batches) == 3
    mask = np.concatenate([batch["mask"] for batch in batches])
    index = np.concatenate([batch["index"] for batch in batches])
    image = np.concatenate([batch["image"] for batch in batches])
    assert mask.dtype == bool and mask.tolist() == [True] * 10 + [False] * 2
    assert index[mask].tolist() == list(range(10))
    assert image.shape == (12, 2, 2) and (image[~mask] == 0).all()
    assert (image[mask, 0, 0] == np.arange(10) + 1).all()
    truth = [each for batch in batches for each in batch["truth"]]
    assert truth == [f"reference {i}" for i in range(10)] + [None] * 2


def test_truth_of_any_shape_is_not_stacked():
    def example(index, rng):
        return {"index": np.asarray(index), "truth": np.zeros(index)}

    (batch,) = _eval_stream(example, length=3, batch_size=3)
    assert [len(each) for each in batch["truth"]] == [0, 1, 2]


def test_a_full_last_batch_is_not_padded():
    batches = list(_eval_stream(length=8))
    assert len(batches) == 2 and all(batch["mask"].all() for batch in batches)


def test_evaluation_can_be_repeated():
    stream = _eval_stream(length=5, batch_size=2, num_workers=2)
    _assert_same(list(stream), list(stream))


def test_an_empty_evaluation_split():
    with pytest.raises(DataError, match="no examples"):
        _eval_stream(length=0)


def test_a_fault_in_an_evaluation_example_reaches_the_caller():
    def example(index, rng):
        raise DataError("broken.jpg")

    with pytest.raises(DataError, match=r"broken\.jpg"):
        list(_eval_stream(example, length=4, batch_size=2, num_workers=2))


def _broken(*faulty):
    def example(index, rng):
        if index in faulty:
            raise DataError(f"{index}.jpg")
        return _eval_example(index, rng)

    return example


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("empty", [0, 1])
def test_faulty_evaluation_examples_are_masked_and_no_batch_is_dropped(empty, num_workers):
    start = 4 * empty
    faulty = {9, *range(start, start + 4)}
    stream = _eval_stream(_broken(*faulty), on_fault=drop, num_workers=num_workers)
    batches = list(stream)
    assert len(batches) == len(stream) == 3
    assert [batch["mask"].tolist() for batch in batches] == [
        [4 * number + i < 10 and 4 * number + i not in faulty for i in range(4)]
        for number in range(3)
    ]
    assert not batches[empty]["mask"].any()
    assert batches[empty]["truth"] == [None] * 4
    assert batches[2]["index"].tolist() == [8, 0, 0, 0]
    for batch in batches:
        assert batch["image"].shape == (4, 2, 2) and batch["image"].dtype == np.uint8
        assert (batch["image"][~batch["mask"]] == 0).all()
    assert stream.faults().startswith("5 examples dropped, 5 different faults:")


def test_an_evaluation_without_a_readable_example_stops():
    with pytest.raises(DataError, match=r"not one example can be read. The last: 9\.jpg"):
        list(_eval_stream(_broken(*range(10)), on_fault=drop))


def test_a_batch_never_mixes_groups():
    def example(index, rng):
        return {"image": np.full((index % 3 + 1, 2), index)}

    groups = [range(i, 11, 3) for i in range(3)]
    stream = _eval_stream(example, 11, 3, groups, num_workers=2)
    batches = list(stream)
    assert len(batches) == len(stream) == 5
    seen = []
    for batch in batches:
        assert batch["image"].shape == (3, int(batch["image"][0, 0, 0]) % 3 + 1, 2)
        seen += batch["image"][batch["mask"], 0, 0].tolist()
    assert sorted(seen) == list(range(11))


def test_a_group_of_which_nothing_can_be_read_is_all_mask():
    def example(index, rng):
        if index == 0:
            raise DataError("0.jpg")
        return {"image": np.full((index + 1, 2), index)}

    first, second = _eval_stream(example, 2, 2, [[0], [1]], on_fault=drop)
    # No example tells the shape of the first group; masked as it is, it borrows a known one.
    assert not first["mask"].any() and first["image"].shape == (2, 2, 2)
    assert second["mask"].tolist() == [True, False]


@pytest.mark.parametrize("groups", [[[0, 1]], [[0, 1, 2], [2]], [[0, 1, 3]]])
def test_groups_hold_every_index_once(groups):
    with pytest.raises(ValueError, match="each of the 3 indices once"):
        _eval_stream(length=3, batch_size=2, groups=groups)
