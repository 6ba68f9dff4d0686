import unicodedata

import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.text.tokenizer import END, SubwordTokenizer

SENTENCES = ["two young dogs run.", "zwei junge Hunde rennen.", "two dogs, two hats"] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer.train(SENTENCES, 300)


@pytest.mark.parametrize(
    "sentence",
    [
        *SENTENCES[:3],
        "Unseen: Äpfel  und\tBirnen!",
        "語 🦊 \u2028 \xa0.",
        "text </s> that looks <pad> special <s>",
        "e\u0301",
        " white space around ",
    ],
)
def test_decoding_gives_the_sentence_back(tokenizer, sentence):
    (tokens,) = tokenizer.encode([sentence])
    assert tokens.dtype == np.int32 and tokens[-1] == END
    assert (tokens[:-1] > END).all() and (tokens < tokenizer.vocabulary_size).all()
    assert tokenizer.decode(tokens) == unicodedata.normalize("NFC", sentence.strip())


def test_frequent_words_become_one_token(tokenizer):
    assert tokenizer.vocabulary_size <= 300
    (tokens,) = tokenizer.encode(["two dogs"])
    assert len(tokens) == 3


def test_decoding_stops_at_the_end_and_skips_special_tokens(tokenizer):
    one, two = tokenizer.encode(["two", "dogs"])
    assert tokenizer.decode(np.concatenate([[1, 0], one, two, [0, 0]])) == "two"
    assert tokenizer.decode(two[:-1]) == "dogs"
    assert tokenizer.decode(np.array([END])) == ""


def test_pieces_name_tokens(tokenizer):
    (tokens,) = tokenizer.encode(["two dogx"])
    pieces = tokenizer.pieces(tokens)
    assert pieces[0] == "two" and pieces[-2:] == ["·x", "</s>"]
    assert "".join(pieces[:-1]).replace("·", "") == "twodogx"
    # A fox is four tokens that are no text alone.
    (tokens,) = tokenizer.encode(["🦊"])
    pieces = tokenizer.pieces(tokens)
    assert "\ufffd" not in "".join(pieces) and all(piece.strip("·") for piece in pieces[1:])


def test_training_twice_gives_the_same(tokenizer):
    assert SubwordTokenizer.train(iter(SENTENCES), 300).json() == tokenizer.json()


def test_file_gives_the_same_tokens(tokenizer, tmp_path):
    (tmp_path / "tokenizer.json").write_text(tokenizer.json())
    loaded = SubwordTokenizer.load(tmp_path / "tokenizer.json")
    sentence = ["two </s> hats"]
    np.testing.assert_array_equal(loaded.encode(sentence)[0], tokenizer.encode(sentence)[0])
    assert loaded.json() == tokenizer.json()


def test_small_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"vocabulary_size must be in \[259, 1_000_000\], got 258"):
        SubwordTokenizer.train(SENTENCES, 258)


@pytest.mark.parametrize("content", ["{", "{}", None])
def test_other_files_are_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match="cannot read the tokenizer .*tokenizer.json"):
        SubwordTokenizer.load(tmp_path / "tokenizer.json")


def test_tokenizer_of_other_special_tokens_is_refused(tokenizer):
    with pytest.raises(ValueError, match="first tokens must be <pad>, <s>, </s>"):
        SubwordTokenizer(tokenizer.json().replace("<s>", "[CLS]"))
