import io
import json
import os
import sys

import pytest

from jaxvision.cli.run import print_any_name
from jaxvision.data.files import replacing, write_whole


def test_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "Grüße")
    write_whole(path, "ü".encode())
    assert path.read_bytes() == "ü".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_file_stays_as_it_was_if_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_not_utf8_are_written_with_escapes(tmp_path, monkeypatch):
    latin1 = os.fsdecode(b"caf\xe9.jpg")
    write_whole(tmp_path / "a.json", json.dumps({"file": latin1}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text()) == {"file": latin1}
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdout", stdout)
    print_any_name()
    print(f"{latin1}: not a readable image", flush=True)
    assert stdout.buffer.getvalue() == b"caf\\udce9.jpg: not a readable image\n"
