import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.text.word_tokenizer import WordTokenizer

LINES = ["b a b", "", "c a d <unk>"]


def test_frequent_words_come_first_and_ties_as_they_appear():
    tokenizer = WordTokenizer.train(LINES, 3)
    assert tokenizer.tokens == ("<unk>", "<eos>", "b", "a", "c")
    # Empty lines have no end.
    np.testing.assert_array_equal(tokenizer.encode_text(LINES), [2, 3, 2, 1, 4, 3, 0, 0, 1])
    assert tokenizer.decode([2, 3, 1, 4]) == "b a\nc"
    again = WordTokenizer.from_json(tokenizer.json())
    assert (again.tokens, again.unit) == (tokenizer.tokens, "word")


def test_characters_keep_spaces():
    tokenizer = WordTokenizer.train(["ab a"], 9, unit="character")
    assert tokenizer.tokens[2:] == ("a", "b", " ")
    assert tokenizer.decode(tokenizer.encode("a ba")) == "a ba"


def test_wrong_input_is_an_error():
    with pytest.raises(DataError, match="book.txt: expected a text, got an empty one"):
        WordTokenizer.train(["", " "], 3, name="book.txt")
    with pytest.raises(ValueError, match=r"data.max_tokens must be in .1, 10_000_000., got 0"):
        WordTokenizer.train(["a"], 0)
    with pytest.raises(ValueError, match="data.unit must be one of word, character, got syllable"):
        WordTokenizer.train(["a"], 3, unit="syllable")
    with pytest.raises(ValueError, match="expected a vocabulary of different tokens"):
        WordTokenizer(["<unk>", "<eos>", "a", "a"])
