import json
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from jaxvision.pretrained.read import read_state

WEIGHTS = {
    "stem.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([0.5, -1.5], np.float16),
    "brain": np.array([0.5, 2.0**100], ml_dtypes.bfloat16),
    "count": np.array(3),
}


def check(state):
    assert set(state) == set(WEIGHTS)
    assert {name: value.dtype for name, value in state.items()} == {
        "stem.weight": np.float32,
        "half": np.float32,
        "brain": np.float32,
        "count": np.int64,
    }
    for name, expected in WEIGHTS.items():
        np.testing.assert_array_equal(state[name], expected.astype(state[name].dtype))


def test_safetensors_file_reads_as_it_was_written(tmp_path):
    safetensors.numpy.save_file(WEIGHTS, tmp_path / "w.safetensors")
    check(read_state(tmp_path / "w.safetensors"))


def test_bfloat16_of_npz_files_becomes_float32(tmp_path):
    values = np.array([1.5, -2.0, 3e30]).astype(ml_dtypes.bfloat16)
    np.savez(tmp_path / "w.npz", w=values)
    state = read_state(tmp_path / "w.npz")
    assert state["w"].dtype == np.float32
    np.testing.assert_array_equal(state["w"], values.astype(np.float32))


def test_npz_file_reads_as_it_was_written(tmp_path):
    # The .npy format has no bfloat16.
    weights = WEIGHTS | {"brain": WEIGHTS["brain"].astype(np.float32)}
    np.savez(tmp_path / "w.npz", **weights)
    check(read_state(str(tmp_path / "w.npz")))


def test_mapping_is_taken_as_it_is():
    check(read_state(WEIGHTS))


def test_pytorch_file_is_read(request):
    fixture = request.path.parent / "fixtures" / "state.pth"
    state = read_state(fixture)
    assert state["bfloat16"].dtype == state["float16"].dtype == np.float32
    assert state["bfloat16"][1, 0] == 2.0**100


def test_prefix_of_parallel_training_is_removed_only_where_all_names_have_it():
    assert list(read_state({"module.a": np.ones(1), "module.b": np.ones(1)})) == ["a", "b"]
    assert list(read_state({"module.a": np.ones(1), "b": np.ones(1)})) == ["module.a", "b"]


def test_arrays_of_objects_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="w.npz"):
        read_state(tmp_path / "w.npz")
    with pytest.raises(ValueError, match="w must be an array, got a dict"):
        read_state({"w": {"nested": np.ones(1)}})


@pytest.mark.parametrize("name", ["w.safetensors", "w.npz", "w.pth", "w.pt"])
def test_missing_and_damaged_files_are_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        read_state(tmp_path / name)
    (tmp_path / name).write_bytes(b"PK\x03\x04 not all of it")
    with pytest.raises(ValueError, match=name):
        read_state(tmp_path / name)


@pytest.mark.parametrize("writer", [safetensors.numpy.save_file, lambda w, p: np.savez(p, **w)])
def test_truncated_file_is_named(tmp_path, writer):
    path = tmp_path / ("w.safetensors" if writer is safetensors.numpy.save_file else "w.npz")
    writer({"w": np.ones((100, 100), np.float32)}, path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match=path.name):
        read_state(path)


def test_other_formats_are_refused_with_what_is_accepted(tmp_path):
    with pytest.raises(ValueError, match=r"\.safetensors, \.pth, \.pt or \.npz.*weights.h5"):
        read_state(tmp_path / "weights.h5")
    with pytest.raises(ValueError, match="got a int"):
        read_state(3)


def safetensors_file(path, dtype, size):
    header = json.dumps({"w": {"dtype": dtype, "shape": [4], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    return path


@pytest.mark.parametrize(
    ("dtype", "size"), [("F8_E4M3", 4), ("F8_E5M2", 4), ("F8_E8M0", 4), ("F4", 2), ("F6_E2M3", 3)]
)
def test_types_that_numpy_has_not_are_named(tmp_path, dtype, size):
    with pytest.raises(ValueError, match=rf"w\.safetensors: w has numbers of the type {dtype}"):
        read_state(safetensors_file(tmp_path / "w.safetensors", dtype, size))


def npz(path, name="w.npy", shape="(3,)", content=bytes(12), start=0):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content
        archive.writestr(name, data[start:] if name.endswith(".npy") else b"text")
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"shape": "(10**12,)"}, ""),
        ({"shape": f"({10**12},)"}, ""),
        ({"shape": f"({10**12}, {10**12})"}, ""),
        ({"shape": "(-1,)"}, ""),
        ({"shape": f"({'1, ' * 200})"}, ""),
        ({"name": "readme.txt"}, "readme.txt is no array"),
        ({"content": bytes(1 << 20)}, "expected at most"),
        ({"start": 1}, "w is no array"),
    ],
)
def test_faulty_npz_files_name_the_file(tmp_path, monkeypatch, fields, words):
    monkeypatch.setattr("jaxvision.data.npz.MAX_SMALL", 1_000)
    with pytest.raises(ValueError, match=rf"w\.npz is not a readable .npz file: .*{words}"):
        read_state(npz(tmp_path / "w.npz", **fields))


@pytest.mark.parametrize("flags", [0x01, 0x20, 0x40])
def test_flags_of_an_archive_that_are_not_read_name_the_file(tmp_path, flags):
    path = npz(tmp_path / "w.npz")
    data = bytearray(path.read_bytes())
    for mark, shift in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark) + shift
        data[at : at + 2] = struct.pack("<H", flags)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"w\.npz"):
        read_state(path)
