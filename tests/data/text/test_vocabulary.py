"""Vocabulary, thinning, phrases and files of vectors."""

import fill
import numpy as np
import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.text.phrases import find_phrases, join_phrases, phrase_scores
from jaxvision.data.text.vectors_file import read_vectors, write_vectors
from jaxvision.data.text.vocabulary import Vocabulary, count_words, encode, keep_probability
from jaxvision.data.words import read_questions, read_sentences

TEXT = [["new", "york", "is", "new"], ["in", "new", "york"], ["york", "is", "old"]]


def test_frequent_words_come_first_and_rare_ones_are_dropped():
    found = count_words(TEXT, min_count=2, max_words=0, name="text")
    assert found == Vocabulary(("new", "york", "is"), (3, 3, 2))
    assert encode(TEXT, found).tolist() == [0, 1, 2, 0, -1, 0, 1, -1, 1, 2, -1]
    assert count_words(TEXT, min_count=1, max_words=2, name="text").words == ("new", "york")


def test_empty_texts_and_vocabularies_are_refused():
    with pytest.raises(DataError, match="text: expected a text of words, got an empty one"):
        count_words([], min_count=1, max_words=0, name="text")
    with pytest.raises(DataError, match="at least two words that occur 9 times or more, got 0 of"):
        count_words(TEXT, min_count=9, max_words=0, name="text")


def test_words_are_kept_as_often_as_by_word2vec_c():
    case = fill.load_case("word2vec")
    found = keep_probability(case["counts"], float(case["threshold"]))
    assert np.allclose(found, case["keep_word2vec_c"], rtol=1e-12)
    # By hand: f = 0.9 and t = 0.1 give (3 + 1) / 9.
    assert np.allclose(keep_probability([9, 1], 0.1), [4 / 9, 1.0])
    assert (keep_probability([9, 1], 0.0) == 1).all()
    with pytest.raises(ValueError, match="subsample must be in"):
        keep_probability([9, 1], float("nan"))


def test_phrases_have_the_score_of_the_paper():
    scores = phrase_scores(TEXT, min_count=1)
    # "new york" twice, each of its words three times, ten words: (2 - 1) / 9 * 10.
    assert scores == pytest.approx({("new", "york"): 10 / 9, ("york", "is"): 10 / 6})
    found = find_phrases(TEXT, min_count=1, threshold=1.2)
    assert found == {("york", "is")}
    assert list(join_phrases(TEXT, {("new", "york"), ("york", "is")})) == [
        ["new_york", "is", "new"],
        ["in", "new_york"],
        ["york_is", "old"],
    ]


def test_vectors_are_read_back(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    for name in ("v.txt", "v.txt.gz"):
        file = write_vectors(tmp_path / name, ["a", "b c", "d"], vectors)
        words, found = read_vectors(file)
        assert words == ("a", "b_c", "d") and (found == vectors).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: expected the numbers of words and of values"),
        ("2 2\na 1 2\n", "expected 2 words, as its first line says, got 1"),
        ("1 2\na 1\n", "2: expected a word and 2 numbers"),
        ("1 1\na nan\n", "2: expected finite numbers"),
        ("1 1\na b\n", "2: expected 1 numbers"),
        ("2 1\na 1\na 2\n", "one of them twice"),
    ],
)
def test_faulty_files_of_vectors_are_one_error(tmp_path, text, message):
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_vectors(tmp_path / "v.txt")


def test_texts_are_found_by_split(tmp_path):
    (tmp_path / "wap.train.txt").write_text("A b\n\nc\n")
    assert read_sentences(str(tmp_path), "train", lower=True).lists == [["a", "b"], ["c"]]
    (tmp_path / "val.txt").write_text("\n")
    with pytest.raises(DataError, match=r"val.txt is empty, expected a sentence a line"):
        read_sentences(str(tmp_path), "val")
    with pytest.raises(DataError, match="got 0 files of that name"):
        read_sentences(str(tmp_path), "test")


def test_questions_with_unknown_words_are_left_out(tmp_path):
    file, vocabulary = tmp_path / "q.txt", Vocabulary(("a", "b", "c"), (3, 2, 1))
    file.write_text(": title\na b c a\na b c z\n")
    assert read_questions(str(file), vocabulary).tolist() == [[0, 1, 2, 0]]
    for text, message in (("a b c\n", "q.txt:1: expected four words, got 3"), ("", "no analogy")):
        file.write_text(text)
        with pytest.raises(DataError, match=message):
            read_questions(str(file), vocabulary)
