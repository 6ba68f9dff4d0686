"""A process makes its rows of the batches that one process would make."""

import numpy as np
import pytest
from toy import graph_stream, train_stream

from jaxvision.data.errors import DataError
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.plan import NOTHING, Rows
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.readers.image_folder import image_folder
from jaxvision.data.stream import Stream


class Packed:
    """Two examples a row, the last row half empty."""

    masked = False

    def __len__(self):
        return 1

    def __call__(self, epoch, rng):
        return [Rows(np.array([[4, 1], [0, 5], [2, 3], [6, NOTHING]]), (2,))]


def example(index, rng):
    return {"x": np.float32(index + rng.random())}


def together(parts, axis=0):
    """Joins the batches of the processes."""
    joined = {}
    for name, first in parts[0].items():
        values = [part[name] for part in parts]
        joined[name] = sum(values, []) if isinstance(first, list) else np.concatenate(values, axis)
    return joined


def check(stream, processes, steps=3):
    shares = [stream.share(i, processes) for i in range(processes)]
    iterators = [each.batches(0) for each in (stream, *shares)]
    for _ in range(steps):
        whole, *parts = map(next, iterators)
        joined = together(parts)
        assert joined.keys() == whole.keys()
        for name, value in whole.items():
            np.testing.assert_array_equal(joined[name], value)
        for share, part in zip(shares, parts, strict=True):
            assert share.rows(part) == stream.rows(whole)
    for iterator in iterators:
        iterator.close()


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_rows_of_all_processes_are_the_batches_of_one(processes):
    check(train_stream(num_workers=1), processes, steps=7)


def test_rows_that_several_examples_share_keep_their_randomness():
    def collate(examples, rows):
        sums = [np.float32(sum(each["x"] for each in row)) for row in examples]
        return {"sum": np.array(sums), "index": rows.index}

    check(Stream(Packed(), example, collate), 2)


def test_evaluation_with_padding_and_truth():
    def row(index, rng):
        return {**example(index, rng), "truth": f"text {index}"}

    check(Stream(InOrder(5, 4), row), 2, steps=2)


def test_replaced_examples_are_the_same():
    def faulty(index, rng):
        if index % 3 == 0:
            raise DataError(f"{index} cannot be read")
        return example(index, rng)

    check(Stream(Shuffled(40, 8), faulty, on_fault=lambda fault: None), 4)


def test_rows_without_examples_have_the_shape_of_the_batch():
    def row(index, rng):
        return {"x": np.full(2 if index < 4 else 3, index, np.float32)}

    # Two shapes; all that the second process has of the second batch is padding.
    plan = InOrder(5, 4, [range(4), [4]])
    check(Stream(plan, row), 2, steps=2)
    own = Stream(plan, row).share(1, 2)
    assert [batch["x"].shape for batch in own] == [(2, 2), (2, 3)]


def test_arrays_of_which_every_device_has_a_copy_are_whole_in_every_process():
    stream = graph_stream(InOrder(1, 1))
    whole, own = next(iter(stream)), next(iter(stream.share(1, 2)))
    assert whole.keys() == own.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(own[name], value)


def test_batch_with_whole_and_cut_arrays_is_made_whole_and_cut():
    def collate(examples, rows):
        values = np.array([each["x"] for each in examples])
        columns = np.stack([values, values])
        return {"x": values, "columns": columns, "mean": values.mean(), "truth": values.tolist()}

    stream = Stream(Shuffled(8, 4), example, collate, axes={"columns": 1, "mean": None})
    whole, *parts = (next(s.batches(0)) for s in (stream, stream.share(0, 2), stream.share(1, 2)))
    for i, part in enumerate(parts):
        own = slice(2 * i, 2 * i + 2)
        np.testing.assert_array_equal(part["x"], whole["x"][own])
        np.testing.assert_array_equal(part["columns"], whole["columns"][:, own])
        assert part["mean"] == whole["mean"]
        assert part["truth"] == whole["truth"][own]


def test_batch_that_the_processes_cannot_share_is_an_error():
    with pytest.raises(ValueError, match="multiple of the number of processes, 3, got 8"):
        next(train_stream().share(0, 3).batches(0))


def test_digest_is_that_of_the_data_and_the_plan():
    def digest(length=40, seed=1, text="a"):
        return Stream(Shuffled(length, 8), example, seed=seed, digest=lambda: text).digest()

    assert digest() == digest()
    assert len({digest(), digest(length=41), digest(seed=2), digest(text="b")}) == 4


def test_digest_of_a_source_sees_annotations_and_not_the_folder(tmp_path):
    def digest(folder, second="dog"):
        for name in ("cat", second):
            (tmp_path / folder / "train" / name).mkdir(parents=True)
            (tmp_path / folder / "train" / name / "1.png").touch()
        return image_folder(tmp_path / folder, "train").digest()

    assert digest("here") == digest("there")
    assert digest("elsewhere", "cow") != digest("on another host")
