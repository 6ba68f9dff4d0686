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
