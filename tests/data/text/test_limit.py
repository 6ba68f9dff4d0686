import numpy as np
import pytest
from already_tokens import AlreadyTokens

from jaxvision.data.errors import DataError
from jaxvision.data.text.limit import limit_length
from jaxvision.data.text.parallel import ParallelText
from jaxvision.data.text.tokenizer import END
from jaxvision.data.translation import train_stream

SOURCE = [np.array([*range(5, 4 + n), END], np.int32) for n in (3, 6, 2, 4, 1)]
TARGET = [np.array([*range(5, 4 + n), END], np.int32) for n in (4, 2, 5, 4, 4)]


def limit(rule, length=4, name=str):
    return limit_length(SOURCE, TARGET, length, rule, name)


def test_pairs_with_a_long_sentence_are_dropped_and_counted():
    found = limit("drop")
    assert found.kept.tolist() == [0, 3, 4]
    assert found.too_long == 2 and not found.cut
    assert found.lengths.tolist() == [[3, 4], [4, 4], [1, 4]]
    assert found.source is SOURCE and found.target is TARGET


def test_long_sentences_are_cut_to_end_as_others_do():
    found = limit("cut")
    assert found.kept.tolist() == [0, 1, 2, 3, 4]
    assert found.too_long == 2 and found.cut
    assert found.lengths.tolist() == [[3, 4], [4, 2], [2, 4], [4, 4], [1, 4]]
    assert found.source[1].tolist() == [5, 6, 7, END] and found.source[1].dtype == np.int32
    assert found.target[2].tolist() == [5, 6, 7, END]
    for before, after in ((SOURCE, found.source), (TARGET, found.target)):
        for old, new in zip(before, after, strict=True):
            assert len(new) == min(len(old), 4)
            if len(old) <= 4:
                np.testing.assert_array_equal(old, new)
    assert len(SOURCE[1]) == 6, "what was given is left as it was"


def test_an_error_names_the_first_long_pair():
    names = "abcde"
    with pytest.raises(DataError, match=r"^b: expected at most max_length 4 tokens") as error:
        limit("error", name=names.__getitem__)
    assert "got 6 and 2; 2 of 5 pairs are too long" in str(error.value)
    assert limit("error", 6).too_long == 0


@pytest.mark.parametrize(
    ("rule", "length", "words"),
    [
        ("shorten", 4, "long_sentences must be one of drop, cut, error, got shorten"),
        ("cut", 0, "max_length must be at least 1, got 0"),
        ("drop", 1, "got none: 5 sentences, max_length 1"),
    ],
)
def test_wrong_options_are_refused(rule, length, words):
    with pytest.raises(ValueError, match=words):
        limit(rule, length)


@pytest.mark.parametrize("packing", [False, True])
def test_stream_gives_and_counts_what_is_left(packing):
    def stream(rule):
        return train_stream(
            ParallelText(SOURCE, TARGET, str),
            AlreadyTokens,
            batch_tokens=40,
            buckets=1,
            seed=0,
            num_workers=0,
            packing=packing,
            max_length=4,
            long_sentences=rule,
        )

    for rule, tokens, words in (
        ("drop", 3 + 4 + 1, "; 2 pairs dropped, too long"),
        ("cut", 3 + 4 + 2 + 4 + 1, "; 2 pairs cut, too long"),
    ):
        train = stream(rule)
        assert train.plan.describe().endswith(words)
        (batch,) = (next(train.batches(step)) for step in range(train.steps_per_epoch))
        assert (batch["source"] != 0).sum() == tokens
    with pytest.raises(DataError, match="^1: expected at most"):
        stream("error")
