import json
import re
import tracemalloc

import pytest

from jaxvision.data.errors import DataError
from jaxvision.data.readers import json_stream
from jaxvision.data.readers.json_stream import read_json

DOCUMENT = """{
  "info": {"note": "ein \\u00fc, \\"quoted\\" \\\\ ü 😀", "year": 2017,
    "nested": {"x": [1, {"y": []}]}},
  "none": [], "nothing": {}, "word": null, "flags": [true, false, null],
  "numbers": [12, -3.5e+10, 0, 6E5, 123456789, 1.25, NaN],
  "rows": [{"id": 1, "polygon": [[1.5, 2, 33.25]]}, {"id": 2, "inner": {"id": 3}}
  ,\t{"id": 4, "name": "a]b}c,"} , 7, "text", [{"id": 5}]],
  "last": 12345
}
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.json"


def _read(path, text, take=lambda entry: entry, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return read_json(str(path), "test", take)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_window_parses_as_json_does(path, monkeypatch, chunk, end):
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    texts = [
        DOCUMENT,
        "-1.5e-3",
        "[1e5, -Infinity]",
        "{}",
        "[]",
        " [1, {}] ",
        "12",
        '"a"',
        '{"a":[]}',
        '{"a":[1]}',
        '{"a":1}',
    ]
    for text in texts:
        text = text.replace("\n", end)
        assert repr(_read(path, text)) == repr(json.loads(text))
        assert repr(_read(path, text, encoding="utf-8-sig")) == repr(json.loads(text))


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
def test_entries_are_taken_once_and_in_order(path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    seen = []

    def take(entry):
        seen.append(entry)
        return len(seen)

    document = _read(path, DOCUMENT, take)
    assert document["rows"] == [1, 2, 3, 7, "text", [{"id": 5}]]
    assert [entry["id"] for entry in seen] == [1, 2, 4]
    # What is no entry of an outer list is no business of `take`.
    assert document["info"]["nested"] == {"x": [1, {"y": []}]}


@pytest.mark.parametrize("chunk", [1, 9, 1 << 20])
def test_a_file_cut_short_says_where(path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    text = DOCUMENT.rstrip()
    for length in range(0, len(text), 1 if chunk > 1 else 5):
        with pytest.raises(json.JSONDecodeError) as expected:
            json.loads(text[:length])
        with pytest.raises(DataError, match="broken JSON at line") as error:
            _read(path, text[:length])
        line, column = re.search(r"line (\d+), column (\d+)", str(error.value)).groups()
        assert (int(line), int(column)) == (expected.value.lineno, expected.value.colno), length


@pytest.mark.parametrize(
    "text",
    ["{} {}", "[1] 2", '{"a" 1}', '{"a": 1,}', "{1: 2}", '{"a": [1 2]}', '{"a": [1,]}', "{]", "x"],
)
def test_broken_text(path, text):
    with pytest.raises(DataError, match=r"x\.json: broken JSON at line 1, column \d"):
        _read(path, text)


def test_files_that_cannot_be_read(path):
    with pytest.raises(DataError, match=r"x\.json: cannot read the test: No such file"):
        read_json(str(path), "test", dict)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DataError, match=r"x\.json: the test is not UTF-8 text"):
        read_json(str(path), "test", dict)


def test_memory_does_not_grow_with_the_file(path, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", 1 << 14)
    row = json.dumps({"polygon": [0.5] * 2000})
    text = '{"rows": [' + ", ".join([row] * 80) + "]}"
    path.write_text(text)
    tracemalloc.start()
    document = read_json(str(path), "test", lambda entry: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(document["rows"]) == 80 and len(text) > 800_000 and peak < 300_000
