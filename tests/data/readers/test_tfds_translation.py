import json

import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.readers.tfds import text_records
from jaxvision.data.translation import translation_source

tensorflow_datasets = pytest.importorskip("tensorflow_datasets")

PAIRS = [("a dog", "ein Hund"), ("a door", "eine Tür"), (" two cats\n", "zwei Katzen")]


def prepare(folder, name="tiny", pairs=PAIRS):
    """Writes a dataset as TFDS prepares it, without TensorFlow."""
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    spec = tensorflow_datasets.features.Translation(languages=("de", "en"))
    place = folder / name / "1.0.0"
    place.mkdir(parents=True)
    title = name.partition("/")[0]
    serializer = ExampleSerializer(spec.get_serialized_info())
    writer = ArrayRecordWriter(str(place / f"{title}-train.array_record-00000-of-00001"), "")
    for english, german in pairs:
        example = spec.encode_example({"en": english, "de": german})
        writer.write(serializer.serialize_example(example))
    writer.close()
    spec.save_config(place)
    split = {
        "name": "train",
        "numBytes": "1",
        "shardLengths": [str(len(pairs))],
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }
    info = {"name": title, "version": "1.0.0", "fileFormat": "array_record", "splits": [split]}
    (place / "dataset_info.json").write_text(json.dumps(info))
    return str(folder)


def read(path, split="train", name="tiny", languages=("en", "de"), **options):
    source, target = languages
    return translation_source(
        f"tfds:{name}", path, split, from_language=source, to_language=target, **options
    )


@pytest.mark.parametrize("name", ["tiny", "wmt16_translate/de-en"])
def test_prepared_records_are_read(tmp_path, name):
    text = read(prepare(tmp_path, name), name=name)
    assert text.source == ["a dog", "a door", "two cats"]
    assert text.target == ["ein Hund", "eine Tür", "zwei Katzen"]
    assert text.name(1) == f"{tmp_path}/{name}/train[1]: a door"


def test_direction_and_slices_of_splits(tmp_path):
    text = read(prepare(tmp_path), "train[1:]", languages=("de", "en"))
    assert text.source == ["eine Tür", "zwei Katzen"] and text.target == ["a door", "two cats"]


def test_empty_sentences_are_reported_and_can_be_dropped():
    records = [{"en": en, "de": de} for en, de in [(b"a", b"x"), (b" ", b"y"), (b"c", b"z")]]
    languages = dict(source="en", target="de")
    with pytest.raises(DataError, match=r"set\[1\]: expected a sentence, got no text in en"):
        text_records(records, records[0], "set", **languages)
    told = []
    text = text_records(records, records[0], "set", on_fault=told.append, **languages)
    assert (text.source, text.target) == (["a", "c"], ["x", "z"])
    assert len(told) == 1 and text.place(1) == "set[2]"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(name="nonsense"), "cannot open 'nonsense'.*nonsense not found.*has to be prepared"),
        (dict(name="ted_hrlr_translate/az_to_en"), "has to be prepared there with file_format="),
        (dict(split="test"), "split 'test': .*train"),
        (dict(split=""), "data.train and data.val must name a split"),
        (dict(languages=("en", "fr")), "expected a feature fr with text, got the features de, en"),
        (dict(path=""), "data.path must name the folder"),
    ],
)
def test_faults_are_told_in_one_message(tmp_path, changes, words):
    with pytest.raises(DataError, match=words) as error:
        read(**(dict(path=prepare(tmp_path)) | changes))
    assert len(str(error.value)) < 500


def test_split_without_a_record():
    with pytest.raises(DataError, match="set: the split is empty"):
        text_records([], {"en": None, "de": None}, "set", source="en", target="de")


@pytest.mark.parametrize("source", ["tfds", "tfds:", "files", ""])
def test_unknown_sources_are_refused(source):
    with pytest.raises(ValueError, match="data.source must be one of parallel, tfds:<name>, got"):
        translation_source(source, "x", "train", from_language="en", to_language="de")
