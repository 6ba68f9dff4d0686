import pytest

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
