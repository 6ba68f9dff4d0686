import itertools

import numpy as np
import pytest
from already_tokens import AlreadyTokens

from jaxvision.data.errors import DataError
from jaxvision.data.text.parallel import ParallelText
from jaxvision.data.text.tokenizer import END, PAD
from jaxvision.data.translation import eval_stream, train_stream

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


def text(lengths=LENGTHS):
    return ParallelText(sentences(0, lengths), sentences(1, lengths), str)


def stream(lengths=LENGTHS, **changes):
    options = dict(batch_tokens=256, buckets=8, seed=5, num_workers=0) | changes
    return train_stream(text(lengths), AlreadyTokens, **options)


def test_epoch_shows_each_pair_once_in_a_few_shapes():
    train = stream()
    for epoch in range(2):
        steps = train.steps_per_epoch
        batches = list(itertools.islice(train.batches(epoch * steps), steps))
        index = np.concatenate([b["index"] for b in batches])
        assert sorted(index[index >= 0]) == list(range(700))
        shapes = {(*b["source"].shape, b["target"].shape[1]) for b in batches}
        known = zip(train.plan.batch_sizes, train.plan.shapes, strict=True)
        assert shapes <= {(size, *shape) for size, shape in known}
        for size, source, target in shapes:
            assert size % 8 == 0 and size * max(source, target) <= 256
        tokens = sum(b["source"].size + b["target"].size for b in batches)
        assert train.plan.padding == pytest.approx(1 - LENGTHS.sum() / tokens)
        assert train.plan.padding < 0.2


def test_rows_hold_their_pair_and_padding():
    train, pieces = stream(), (sentences(0), sentences(1))
    for batch in itertools.islice(train.batches(0), train.steps_per_epoch):
        for source, target, i in zip(batch["source"], batch["target"], batch["index"], strict=True):
            for side, row in enumerate((source, target)):
                expected = pieces[side][i] if i >= 0 else []
                np.testing.assert_array_equal(row[: len(expected)], expected)
                assert (row[len(expected) :] == PAD).all()


def test_longer_pairs_are_too_long():
    train = stream(max_length=12)
    steps = train.steps_per_epoch
    index = np.concatenate([b["index"] for b in itertools.islice(train.batches(0), steps)])
    expected = np.flatnonzero((LENGTHS <= 12).all(axis=1))
    np.testing.assert_array_equal(np.sort(index[index >= 0]), expected)
    assert train.plan.limited.too_long == 700 - len(expected) > 0


def test_a_few_pairs_fill_a_batch_in_part():
    lengths = np.array([[9, 2], [2, 9], [3, 3]])
    train = stream(lengths, buckets=2)
    (batch,) = itertools.islice(train.batches(0), train.steps_per_epoch)
    assert batch["source"].shape == (24, 9) and (batch["index"] >= 0).sum() == 3


def test_batches_depend_on_seed_and_step_alone():
    straight = list(itertools.islice(stream().batches(0), 200))
    for workers, start in ((0, 37), (3, 0), (2, 150)):
        resumed = itertools.islice(stream(num_workers=workers).batches(start), 20)
        for one, other in zip(straight[start:], resumed, strict=False):
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])
    steps = stream().steps_per_epoch
    members = [
        [frozenset(b["index"].tolist()) for b in straight[first : first + steps]]
        for first in (0, steps)
    ]
    assert len(set(members[0]) & set(members[1])) < steps / 4, "epochs are alike"
    other = next(stream(seed=6).batches(0))["index"]
    assert not np.array_equal(other, straight[0]["index"])


def test_evaluation_shows_each_pair_once_with_its_mask():
    target = sentences(1)
    data = eval_stream(text(), AlreadyTokens, batch_size=64, buckets=3)
    batches = list(data)
    assert len(batches) == len(data)
    assert len({(b["source"].shape, b["target"].shape) for b in batches}) == 3
    index = np.concatenate([b["index"][b["mask"]] for b in batches])
    assert sorted(index) == list(range(700))
    for batch in batches:
        assert len(batch["mask"]) == 64
        assert len(batch["truth"]) == 64
        for row, valid in enumerate(batch["mask"]):
            tokens, truth = batch["target"][row], batch["truth"][row]
            if valid:
                expected = target[batch["index"][row]]
                np.testing.assert_array_equal(tokens[tokens != PAD], expected)
                np.testing.assert_array_equal(truth, expected)
            else:
                assert (tokens == PAD).all() and truth is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(batch_tokens=100), "batch_tokens must be at least .* got 100"),
        (dict(buckets=0), r"buckets must be in \[1, 1000\], got 0"),
        (dict(seed=-1), "seed must be in"),
        (dict(num_workers=-1), r"num_workers must be in \[0, 1024\], got -1"),
        (dict(lengths=np.zeros((0, 2), int)), "got none: 0 sentences"),
        (dict(max_length=1), "got none: 700 sentences, max_length 1"),
    ],
)
def test_wrong_numbers_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        stream(**changes)


def test_no_sentence_to_evaluate_is_refused():
    with pytest.raises(DataError, match="no sentences"):
        eval_stream(ParallelText([], [], str), AlreadyTokens, batch_size=8)
