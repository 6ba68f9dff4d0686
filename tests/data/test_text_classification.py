import gzip
import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from jaxvision.data.errors import DataError
from jaxvision.data.readers.tfds import text_class_records
from jaxvision.data.sources.drawn_opinions import drawn_opinions
from jaxvision.data.text.spacing import spaced
from jaxvision.data.text_classification import eval_stream, text_source, train_stream


def write(root, files):
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode()
        file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(root)


def numbers(text):
    return np.array([len(word) for word in text.split()], np.int32)


def test_words_and_marks_are_apart():
    text = "It's  GOOD,\nisn’t it?"
    assert spaced(text, "word", lower=True) == "it's good , isn’t it ?"
    assert spaced(text, "word", lower=False).startswith("It's GOOD ,")
    assert spaced(text, "character", lower=True) == "it's good, isn’t it?"


def test_a_folder_or_a_file_for_each_class(tmp_path):
    files = {
        "train/pos/b.txt": "one\ntwo\n",
        "train/pos/a.txt": "three",
        "train/pos/notes.md": "no",
        "train/neg.txt.gz": "four\n\nfive\n",
    }
    found = text_source("folder", write(tmp_path, files), "train")
    assert found.classes == ("neg", "pos")
    assert found.texts == ["four", "five", "three", "one\ntwo"]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.name(1).endswith("neg.txt.gz:3: five") and found.name(3).endswith("b.txt: one two")
    assert found.describe().endswith("4 texts (2 neg, 2 pos)")
    turned = text_source("folder", str(tmp_path), "train", classes=("pos", "neg"))
    assert turned.labels.tolist() == [1, 1, 0, 0]
    assert found.digest() != turned.digest()


@pytest.mark.parametrize(("ending", "mark"), [("csv", ","), ("tsv", "\t")])
def test_a_table(tmp_path, ending, mark):
    rows = [["id", "Label", "text"], ["1", "good", '"two, ""three""\nfour"'], ["2", "bad", "x"]]
    path = write(tmp_path, {f"val.{ending}": "\n".join(map(mark.join, rows)) + "\n\n"})
    found = text_source("table", path, "val")
    assert found.classes == ("bad", "good") and found.labels.tolist() == [1, 0]
    assert found.texts == ['two, "three"\nfour', "x"]
    assert found.name(1).endswith(f"val.{ending}:4: x")


class Names:
    names = ("neg", "pos")


def test_tfds_records():
    records = [{"text": b"fine", "label": 1}, {"text": "so so", "label": 0}]
    features = {"text": None, "label": Names}
    found = text_class_records(records, features, "imdb/train")
    assert found.texts == ["fine", "so so"] and found.labels.tolist() == [1, 0]
    assert found.classes == ("neg", "pos") and found.places[1] == "imdb/train[1]"
    with pytest.raises(DataError, match="expected the features text and label"):
        text_class_records(records, {"image": None, "label": Names}, "imdb/train")


@pytest.mark.parametrize(
    ("source", "files", "message"),
    [
        ("folder", {"val/a.txt": "x"}, "train does not exist; expected a folder or a file for"),
        ("folder", {"train/notes.md": "x"}, "train: expected texts, got none"),
        ("folder", {"train/a/x.txt": " \n"}, r"x.txt: expected a text, got an empty one"),
        ("folder", {"train/a.txt": b"x\n\xff\n"}, r"a.txt:2: expected UTF-8, got byte 0xff"),
        ("table", {}, r"train.csv does not exist, and neither does train.tsv"),
        ("table", {"train.csv": ""}, "names of the columns text and label, got an empty line"),
        ("table", {"train.csv": "words,label\nx,y\n"}, "columns text and label, got words, label"),
        ("table", {"train.csv": "text,label\na,b,c\n"}, r"train.csv:2: expected 2 fields, got 3"),
        ("table", {"train.csv": "text,label\n,b\n"}, r"train.csv:2: expected a text, got an empty"),
        ("table", {"train.csv": "text,label\n"}, "expected texts, got none"),
        ("table", {"train.csv": b"text,label\n\xff,b\n"}, "expected UTF-8; convert the file"),
    ],
)
def test_faults_of_files(tmp_path, source, files, message):
    with pytest.raises(DataError, match=message):
        text_source(source, write(tmp_path, files), "train")


def test_unknown_classes_and_sources(tmp_path):
    path = write(tmp_path, {"val/good.txt": "x", "val/bad.txt": "y"})
    with pytest.raises(DataError, match=r"bad.txt:1: unknown class 'bad'"):
        text_source("folder", path, "val", classes=("good",))
    with pytest.raises(ValueError, match="data.source must be one of drawn, folder, table, tfds"):
        text_source("json", path, "val")
    with pytest.raises(ValueError, match="one of train, val, test, got 'dev'"):
        text_source("drawn", None, "dev", texts=100)


def test_drawn_opinions_need_the_order_of_words():
    texts, labels = drawn_opinions(2000)
    assert abs(labels.mean() - 0.5) < 0.01
    for text, label in zip(texts, labels, strict=True):
        last = re.split(" but | and ", text)[-1]
        good = last.split()[-1] in "good kind warm quiet bright fine fresh pretty quick clean"
        assert (good != (" not " in last)) == bool(label)
    counts = CountVectorizer(ngram_range=(1, 1)).fit_transform(texts)
    model = LogisticRegression(max_iter=1000).fit(counts[:1500], labels[:1500])
    assert model.score(counts[1500:], labels[1500:]) < 0.65
    assert drawn_opinions(2000, seed=1)[0] != texts


def source_of(tmp_path):
    lines = {"a": [3, 1, 5, 2], "b": [4, 1, 6]}
    texts = {
        f"train/{name}.txt": "\n".join(" ".join(["w" * n] * n) for n in sizes)
        for name, sizes in lines.items()
    }
    return text_source("folder", write(tmp_path, texts), "train")


def test_training_batches_hold_their_texts(tmp_path):
    source = source_of(tmp_path)
    stream = train_stream(source, numbers, batch_size=2, buckets=2, seed=0)
    assert stream.steps_per_epoch == 3
    shown = []
    for batch, _ in zip(stream.batches(), range(3), strict=False):
        width = batch["tokens"].shape[1]
        assert batch["tokens"].shape[0] == 2 and batch["tokens"].dtype == np.int32
        for tokens, length, label, index in zip(*(batch[k] for k in KEYS), strict=True):
            expected = numbers(source.texts[index])
            assert length == len(expected) <= width and label == source.labels[index]
            np.testing.assert_array_equal(tokens, np.pad(expected, (0, width - length)))
            shown.append(int(index))
    assert len(set(shown)) == 6


KEYS = ("tokens", "length", "label", "index")


def test_evaluation_shows_each_text_once(tmp_path):
    source = source_of(tmp_path)
    stream = eval_stream(source, numbers, batch_size=2, buckets=2)
    batches = list(stream)
    seen = np.concatenate([batch["index"][batch["mask"]] for batch in batches])
    assert sorted(seen.tolist()) == list(range(7))
    assert len({batch["tokens"].shape for batch in batches}) == 2
    for batch in batches:
        for row in np.flatnonzero(batch["mask"]):
            length = batch["length"][row]
            expected = numbers(source.texts[batch["index"][row]])
            np.testing.assert_array_equal(batch["tokens"][row, :length], expected)
            assert not batch["tokens"][row, length:].any()


def test_texts_without_tokens_are_named(tmp_path):
    source = source_of(tmp_path)
    with pytest.raises(DataError, match=r"a.txt:2: w: expected words, got none"):
        eval_stream(source, lambda text: numbers(text)[1:], batch_size=2, buckets=2)
