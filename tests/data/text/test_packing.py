import itertools

import numpy as np
import pytest
from already_tokens import AlreadyTokens

from jaxvision.data.errors import DataError
from jaxvision.data.text import packing
from jaxvision.data.text.packing import pack, row_shape
from jaxvision.data.text.parallel import ParallelText
from jaxvision.data.text.shapes import Shape
from jaxvision.data.text.tokenizer import END, PAD
from jaxvision.data.translation import train_stream

RNG = np.random.default_rng(0)
# As those of short sentences are: the longer the source, the longer the target.
SOURCE = 2 + RNG.poisson(10, 700)
LENGTHS = np.stack([SOURCE, np.maximum(2, SOURCE + RNG.integers(-3, 4, 700))], axis=1)


def sentences(side, lengths=LENGTHS):
    """Tokens that tell which pair and side they are of."""
    return [
        np.array([3 + 2 * i + side] * (n - 1) + [END], np.int32)
        for i, n in enumerate(lengths[:, side])
    ]


def stream(lengths=LENGTHS, **changes):
    options = dict(batch_tokens=512, buckets=8, seed=5, num_workers=0, max_length=64) | changes
    text = ParallelText(sentences(0, lengths), sentences(1, lengths), str)
    return train_stream(text, AlreadyTokens, packing=True, **options)


def first_fit(lengths, row):
    """Puts one pair after another, the longest first; returns which pairs each row holds."""
    rows = []
    for i in sorted(range(len(lengths)), key=lambda i: -sum(lengths[i])):
        for held in rows:
            if (lengths[[*held, i]].sum(axis=0) <= row).all():
                held.append(i)
                break
        else:
            rows.append([i])
    return [set(held) for held in rows]


@pytest.mark.parametrize("row", [(40, 40), (40, 31), (60, 40)])
def test_the_longest_pair_goes_first_to_the_first_row_with_room(row):
    rng = np.random.default_rng(1)
    for count in (1, 2, 30, 59):
        # No two of the same length together, as the order of such is left to chance.
        both = rng.permutation(np.arange(2, 61))[:count]
        source = np.array([rng.integers(max(1, n - 30), min(n, 31)) for n in both])
        lengths = np.stack([source, both - source], axis=1)
        rows = pack(lengths, Shape(*row))
        found = [set(np.flatnonzero(rows == number)) for number in range(rows.max() + 1)]
        assert found == first_fit(lengths, row)


@pytest.mark.parametrize("chunk", [100, 4096])
def test_rows_hold_what_they_can_and_little_is_padding(monkeypatch, chunk):
    monkeypatch.setattr(packing, "_CHUNK", chunk)
    rows = pack(LENGTHS, Shape(128, 128))
    held = np.stack([np.bincount(rows, side) for side in LENGTHS.T], axis=1)
    assert (held <= 128).all() and (held > 0).all()
    # 67 rows hold all tokens of the language that has more.
    assert LENGTHS.sum(axis=0).max() > 66 * 128
    # The last row of each chunk is filled in part.
    assert len(held) <= 69 + -(-700 // chunk)


def test_a_pair_that_no_row_holds_is_refused():
    with pytest.raises(ValueError, match=r"a row must hold every pair, \[5, 7\] tokens, got"):
        pack(np.array([[5, 1], [1, 7]]), Shape(8, 6))


@pytest.mark.parametrize(
    ("lengths", "shape"),
    [
        ([[10, 10], [4, 4]], (64, 64)),
        ([[10, 5], [20, 10]], (64, 32)),
        ([[5, 30], [5, 20]], (16, 64)),
        ([[40, 30], [2, 60]], (32 + 8, 64)),
        ([[50, 60], [2, 60]], (50, 64)),
    ],
)
def test_row_has_room_in_proportion_and_for_the_longest(lengths, shape):
    assert row_shape(np.array(lengths), 64) == shape


def test_epoch_shows_each_pair_once_in_one_shape_with_little_padding():
    train = stream()
    steps = train.steps_per_epoch
    for epoch in range(3):
        batches = list(itertools.islice(train.batches(epoch * steps), steps))
        index = np.concatenate([b["index"].ravel() for b in batches])
        assert sorted(index[index >= 0]) == list(range(700))
        assert {b["source"].shape for b in batches} == {(8, 64)}
        assert {b["target"].shape for b in batches} == {(8, train.plan.shapes[0].target)}
        tokens = sum(b["source"].size + b["target"].size for b in batches)
        assert train.plan.padding == pytest.approx(1 - LENGTHS.sum() / tokens)
    # The last batch is filled in part.
    assert train.plan.padding < 0.1
    assert "8 x 64+64 tokens, up to" in train.plan.describe()


def test_rows_hold_their_pairs_one_after_another_and_padding():
    train, pieces = stream(), (sentences(0), sentences(1))
    for batch in itertools.islice(train.batches(0), train.steps_per_epoch):
        for b, row in enumerate(batch["index"]):
            pairs = row[row >= 0]
            assert (row[len(pairs) :] == -1).all()
            for side, name in enumerate(("source", "target")):
                parts = [pieces[side][i] for i in pairs]
                tokens = np.concatenate([np.zeros(0, int), *parts])
                numbers = np.repeat(np.arange(len(pairs)) + 1, [len(part) for part in parts])
                for found, expected, after in (
                    (batch[name][b], tokens, PAD),
                    (batch[f"{name}_segments"][b], numbers, 0),
                ):
                    assert found.dtype == np.int32
                    np.testing.assert_array_equal(found[: len(expected)], expected)
                    assert (found[len(expected) :] == after).all()


def rows_of(train, epoch):
    steps = train.steps_per_epoch
    batches = itertools.islice(train.batches(epoch * steps), steps)
    return [frozenset(row[row >= 0].tolist()) for b in batches for row in b["index"]]


def batches_by_lengths(train, epoch):
    """The lengths in each row of each batch, in no order."""
    rows = [tuple(sorted(map(tuple, LENGTHS[list(row)]))) for row in rows_of(train, epoch)]
    return {tuple(sorted(rows[start : start + 8])) for start in range(0, len(rows), 8)}


def test_epochs_differ_in_who_shares_a_row_or_a_batch_and_in_their_order():
    train = stream()
    assert not batches_by_lengths(train, 0) & batches_by_lengths(train, 1)
    first, second = (rows_of(train, epoch) for epoch in (0, 1))
    assert len(set(first) & set(second)) < len(first) / 4
    last = [index for index, row in enumerate(first) if not row]
    assert last != [index for index, row in enumerate(second) if not row]


def test_batches_depend_on_seed_and_step_alone():
    steps = 2 * stream().steps_per_epoch
    straight = list(itertools.islice(stream().batches(0), steps))
    for workers, start in ((3, 0), (2, steps - 5)):
        resumed = itertools.islice(stream(num_workers=workers).batches(start), 5)
        for one, other in zip(straight[start:], resumed, strict=False):
            assert one.keys() == other.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])
    other = next(stream(seed=6).batches(0))["index"]
    assert not np.array_equal(other, straight[0]["index"])


def test_a_few_pairs_fill_a_batch_in_part():
    train = stream(np.array([[9, 2], [2, 9], [3, 3]]))
    (batch,) = itertools.islice(train.batches(0), train.steps_per_epoch)
    assert batch["index"].shape == (8, 3) and (batch["index"] >= 0).sum() == 3
    assert (batch["source"] != PAD).sum() == 14 and (batch["source_segments"] > 0).sum() == 14


def test_numbers_of_pairs_are_those_of_all_even_if_some_are_left_out():
    train = stream(max_length=12)
    steps = train.steps_per_epoch
    index = np.concatenate([b["index"].ravel() for b in itertools.islice(train.batches(0), steps)])
    expected = np.flatnonzero((LENGTHS <= 12).all(axis=1))
    np.testing.assert_array_equal(np.sort(index[index >= 0]), expected)


def test_rows_must_fit_into_a_batch():
    with pytest.raises(DataError, match="must be at least 512, 8 rows of 64 tokens.*got 256"):
        stream(max_length=128, batch_tokens=256)


@pytest.mark.parametrize(
    ("longest", "max_length", "row"), [(20, 128, 64), (100, 128, 100), (20, 40, 40)]
)
def test_rows_are_as_long_as_the_longest_pair_or_64_tokens(longest, max_length, row):
    lengths = np.minimum(LENGTHS, 20)
    lengths[3] = longest
    train = stream(lengths, max_length=max_length, batch_tokens=1024)
    assert max(train.plan.shapes[0]) == row
