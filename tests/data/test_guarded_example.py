"""Disks that fail or hang while a stream reads."""

import threading

import numpy as np
import pytest

from jaxvision.data.errors import DataError, drop
from jaxvision.data.plans.in_order import InOrder
from jaxvision.data.plans.shuffled import Shuffled
from jaxvision.data.stream import Stream


def reader(fault):
    """Reads numbers, of which the fourth has a fault."""

    def read(index, rng):
        if index == 3:
            fault()
        return {"index": np.int32(index), "draw": rng.random()}

    return read


def failing():
    raise OSError(5, "Input/output error")


def bug():
    raise KeyError("boxes")


@pytest.fixture
def hanging():
    answer = threading.Event()
    yield answer.wait
    answer.set()


def stream(fault, plan=None, **options):
    options = dict(name="picture {}.jpg".format) | options
    return Stream(plan or Shuffled(8, 4), reader(fault), seed=0, **options)


def test_a_file_that_the_disk_does_not_give_is_named_and_stops_or_is_counted():
    with pytest.raises(DataError, match=r"picture 3.jpg: cannot be read .*Input/output error"):
        list(stream(failing))
    dropping = stream(failing, on_fault=drop, num_workers=2)
    assert 3 not in np.concatenate([batch["index"] for batch in dropping])
    assert dropping.faults().startswith("1 examples dropped, 1 different faults:\n  1 x picture 3")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_never_comes_is_named_and_stops_or_is_counted(hanging, workers):
    options = dict(timeout=0.05, num_workers=workers)
    with pytest.raises(DataError, match="picture 3.jpg: reading it takes more than 0.05 s"):
        list(stream(hanging, **options))
    masked = stream(hanging, InOrder(8, 4), on_fault=drop, **options)
    masks = [batch["mask"].tolist() for batch in masked]
    assert masks == [[True, True, True, False], [True] * 4]
    assert "reading it takes more than" in masked.faults()


def test_reading_in_time_changes_nothing():
    plain, timed = (list(stream(lambda: None, timeout=seconds)) for seconds in (0.0, 60.0))
    for one, other in zip(plain, timed, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_an_error_of_a_worker_says_at_which_example():
    with pytest.raises(KeyError) as error:
        list(stream(bug, num_workers=1, timeout=9.0))
    assert "while the example picture 3.jpg was read" in error.value.__notes__
    with pytest.raises(ValueError, match="timeout must be "):
        stream(bug, timeout=float("nan"))
