import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.plans.by_length import ByLength

GROUPS = [np.array([0, 3, 5]), np.array([1, 2, 4, 6, 7, 8])]


def test_each_example_is_shown_once_in_a_batch_that_holds_it():
    plan = ByLength(GROUPS, (4, 9), 3)
    batches = plan(0, np.random.default_rng(0))
    assert len(batches) == len(plan) == 3
    assert sorted(i for rows in batches for i in rows.index.tolist()) == list(range(9))
    short = [rows for rows in batches if rows.shape == (4,)]
    assert [sorted(rows.index.tolist()) for rows in short] == [[0, 3, 5]]


def test_what_fills_no_batch_goes_to_the_next_length_and_the_last_are_dropped():
    plan = ByLength(GROUPS, (4, 9), 2)
    dropped = set()
    for epoch in range(20):
        batches = plan(epoch, np.random.default_rng(epoch))
        shown = [i for rows in batches for i in rows.index.tolist()]
        assert len(batches) == len(plan) == 4 and len(set(shown)) == 8
        (missing,) = set(range(9)) - set(shown)
        dropped.add(missing)
        for rows in batches:
            if rows.shape == (4,):
                assert set(rows.index.tolist()) <= {0, 3, 5}
    assert dropped <= set(GROUPS[1].tolist()) and len(dropped) > 2


def test_epochs_differ_and_are_repeatable():
    plan = ByLength(GROUPS, (4, 9), 3)

    def order(seed):
        return [rows.index.tolist() for rows in plan(0, np.random.default_rng(seed))]

    assert order(1) == order(1) != order(2)


def test_too_few_examples():
    with pytest.raises(DataError, match="9 examples, fewer than one batch of 10; set batch_size"):
        ByLength(GROUPS, (4, 9), 10)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        ByLength(GROUPS, (4, 9), 0)
